"""What the Containerfile says holds here, and what its page says fits it: `make test-container`
carries both out.
"""

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from nexus_actors.cli.app import app
from nexus_actors.cli.service import start, status
from nexus_actors.settings.model import ServiceSettings
from tests.container import FILE, ROOT, health_command, last, read_lines
from tests.docs.pages import read_page
from tests.image import PAGE, below, page_commands
from tests.podman import UnusableError, open_podman

LINES: Final = page_commands(read_page(PAGE))
RUN: Final = next(shlex.split(it) for it in LINES if it.startswith("podman run "))


def test_what_it_copies_is_there_and_not_ignored() -> None:
    kept = (ROOT / ".containerignore").read_text()
    for line in read_lines():
        if line.word == "COPY" and not line.is_from_a_stage:
            for name in line.words[:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name.removeprefix('./')}\n" in kept


def test_what_it_runs_and_asks_are_commands_of_ours() -> None:
    program, *words = [*last("ENTRYPOINT").words, *last("CMD").words]
    assert (program, app.parse_args(words)[0]) == ("nexus", start)
    program, *words = health_command()
    command, bound, _ = app.parse_args(words)
    assert (program, command, bound.arguments) == ("nexus", status, {"alive": True})


def test_it_installs_by_hashes_and_runs_as_nobody_of_rank() -> None:
    installs = [it.rest for it in read_lines() if it.word == "RUN" and "pip install" in it.rest]
    assert all("--no-deps" in it for it in installs)
    assert "--require-hashes" in installs[0]
    user = re.fullmatch(r"(\d+):(\d+)", last("USER").rest)
    assert user is not None
    assert min(map(int, user.groups())) >= 10_000
    volume, home = last("VOLUME").rest, last("ENV").rest
    assert f"HOME={volume} " in home
    owned = f"COPY --from=build --chown={last('USER').rest} /out{volume} {volume}"
    assert owned in FILE.read_text()


def test_its_page_gives_it_every_secret_of_its_config() -> None:
    config = tomllib.loads(read_page(PAGE).of("toml")[0].text)
    named = {
        value
        for table in (config["database"], *config["providers"].values())
        for name, value in table.items()
        if name.endswith("_file")
    }
    made = {shlex.split(it)[3] for it in LINES if it.startswith("podman secret create ")}
    user = last("USER").rest.partition(":")[0]
    given = dict(it.split(",", 1) for option, it in pairwise(RUN) if option == "--secret")
    assert named == made == given.keys() == {"database_url", "openai"}
    assert set(given.values()) == {f"uid={user},mode=0400"}


def test_its_page_gives_a_stop_the_time_that_a_drain_takes() -> None:
    drain = ServiceSettings().drain_timeout
    assert RUN[RUN.index("--stop-timeout") + 1] == f"{drain + 40:g}"


def test_of_a_command_line_only_the_files_outside_of_the_container_are_moved() -> None:
    line = "podman run -v /etc/nexus/a:/etc/nexus/a:ro -e A=/etc/nexus/a nexus"
    moved = "podman run -v /else/etc/nexus/a:/etc/nexus/a:ro -e A=/etc/nexus/a nexus"
    assert below(Path("/else"), line) == moved


def test_without_podman_no_image_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(UnusableError, match="not installed: podman, crun"),
        open_podman(tmp_path, tmp_path),
    ):
        pass


def test_only_root_builds_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UnusableError, match="root"), open_podman(tmp_path, tmp_path):
        pass
