"""`python -m tests.image`: the image is built, run, asked and stopped by the commands of
docs/service.md. Where Podman cannot do that, tests/container.py does what it can without.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from tests import container
from tests.docs.pages import ROOT, Page, read_page
from tests.docs.shell import read_console
from tests.leftovers import own_folder, sweep
from tests.podman import FaultError, Podman, UnusableError, open_podman, provide_base, trusted
from tests.postgres import TEMPLATE, new_database, running_server
from tests.sql import Client

PAGE: Final = ROOT / "docs" / "service.md"
PATIENCE: Final = 120.0
"""Seconds for anything to happen: for machines, not for assertions."""
SOCKETS: Final = "/postgres"
"""Where PostgreSQL's socket is in a container."""
SLOW: Final = """
[providers.slow]
kind = "echo"
latency = 20.0

[[routes]]
models = ["slow/echo"]
"""
"""What the page's config lacks, for a call that lasts while the container is stopped."""
REQUEST: Final = {
    "request_id": "drained",
    "complexity": "simple",
    "messages": [{"role": "user", "content": "Hello"}],
}


def page_commands(page: Page) -> list[str]:
    """The lines of the page that call Podman, in order."""
    read = [read_console(it) for it in page.of("console")]
    assert not any(faults for _, faults in read)
    lines = [command.text for found, _ in read for command in found]
    return [it for it in lines if it.startswith("podman ")]


def below(folder: Path, line: str) -> str:
    """A command line with its files of `/etc/nexus` below the folder, and those of containers as
    they are."""
    return re.sub(r"(?<= )/etc/nexus/", f"{folder}/etc/nexus/", line)


def socket(url: str) -> Path:
    """The server's."""
    query = parse_qs(urlsplit(url).query)
    return Path(query["host"][0], f".s.PGSQL.{query['port'][0]}")


def url_inside(url: str) -> str:
    """The database's URL in a container, whose user may not enter the server's folder, but may use
    the socket where it is mounted."""
    parts = urlsplit(url)
    return parts._replace(query=parts.query.replace(str(socket(url).parent), SOCKETS)).geturl()


def write_files(folder: Path, page: Page, url: str) -> None:
    """What the page has its reader put into `/etc/nexus`."""
    place = folder / "etc" / "nexus"
    (place / "credentials").mkdir(parents=True)
    config = place / "nexus.toml"
    config.write_text(page.of("toml")[0].text + SLOW)
    config.chmod(0o644)
    for name, secret in (("database_url", url_inside(url)), ("openai", "no-key")):
        (place / "credentials" / name).write_text(secret)


def hold(podman: Podman, lines: Sequence[str], url: str) -> None:
    """Carry the lines out, then have the service drain. Raises FaultError."""
    build, *others, ask = lines
    podman.configure(network="host", volumes=trusted())
    provide_base(podman, container.last("FROM").words[0])
    podman.run(build, ROOT)
    name = socket(url).name
    podman.configure(network="none", volumes={f"{SOCKETS}/{name}": str(podman.lent / name)})
    for line in others:
        podman.run(below(podman.folder, line), podman.folder)
    try:
        wait_for(lambda: podman.ask(ask).returncode == 0, ask)
        podman.run(ask, podman.folder)
        podman.run("podman healthcheck run nexus", podman.folder)
        drain(podman, ask, url)
    except (FaultError, subprocess.SubprocessError):
        logs = podman.ask("podman logs nexus")
        print(logs.stdout, logs.stderr, flush=True)
        raise


def drain(podman: Podman, ask: str, url: str) -> None:
    """Stop the container during a call, which is brought to its end."""
    client = Client()
    try:
        client.query(url, "SELECT pgmq.send('ai_requests', $1::text::jsonb)", json.dumps(REQUEST))
        wait_for(lambda: is_calling(podman, ask), "the call")
        podman.run("podman stop nexus", podman.folder)
        code = podman.ask("podman inspect --format '{{.State.ExitCode}}' nexus").stdout.strip()
        (row,) = client.query(url, "SELECT state FROM nexus.requests")
    finally:
        client.close()
    if (code, row["state"]) != ("0", "done"):
        raise FaultError(f"stopped with exit code {code}, and the request was {row['state']}")


def is_calling(podman: Podman, ask: str) -> bool:
    """Whether it says that a call runs."""
    said = podman.ask(f"{ask} --json")
    return said.returncode == 0 and bool(json.loads(said.stdout)["running"])


def wait_for(holds: Callable[[], object], what: str) -> None:
    """Until it holds. Raises FaultError."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise FaultError(f"in vain: {what}")
        time.sleep(0.5)


@contextmanager
def unchanged_host() -> Iterator[None]:
    """The block leaves alone what it once changed: the owner of the host's /dev/null, by crun, and
    the locks of its Podman. Raises FaultError."""
    before = _of_the_host()
    yield
    if (after := _of_the_host()) != before:
        raise FaultError(f"the host was changed: {before}, then {after}")


def _of_the_host() -> tuple[object, ...]:
    null = Path("/dev/null").stat()
    locks = Path("/dev/shm/libpod_lock")  # noqa: S108 - only looked at
    return null.st_uid, null.st_gid, null.st_mode, locks.exists() and locks.stat().st_ino


def main() -> int:
    """0 if it holds."""
    page = read_page(PAGE)
    place = Path(tempfile.gettempdir())
    sweep(place, container.FOLDERS)
    with (
        own_folder(place, container.FOLDERS) as folder,
        running_server(folder) as server,
        new_database(server, "image", TEMPLATE) as url,
    ):
        write_files(folder, page, url)
        try:
            with unchanged_host(), open_podman(folder, socket(url).parent) as podman:
                hold(podman, page_commands(page), url)
        except UnusableError as error:
            print(f"no image is built here: {error}; in a folder instead", flush=True)
            return container.main()
        except (FaultError, subprocess.SubprocessError) as error:
            print(error)
            return 1
    print("built, run, healthy, and drained as it was stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
