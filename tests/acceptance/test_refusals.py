"""What cannot work is refused with one clear line, the right exit code, and no traceback."""

import os
import stat
import subprocess
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from nexus_actors.storage.postgres.embedded import embedded_url
from tests.acceptance.nexus import LIMIT, NEXUS, Nexus, one_line, query

NO_SERVICE = [("status",), ("tree",), ("stop",), ("ask", "hello"), ("result", "some-id")]


@pytest.mark.parametrize("command", NO_SERVICE, ids=lambda command: command[0])
def test_commands_that_need_a_service(nexus: Nexus, command: tuple[str, ...]) -> None:
    done = nexus.run(*command)
    assert done.returncode == 3, done
    why, *where, then = done.stderr.splitlines()
    assert why.startswith(f"nexus: no service is running with data_dir {nexus.data_dir}")
    assert any(f"from the config {nexus.config}" in line for line in where)
    advice = "nothing to stop" if command == ("stop",) else "start it: nexus start"
    assert then.startswith(f"nexus: {advice}; if it runs with another config")
    assert "NEXUS_CONFIG=FILE" in then
    assert not nexus.data_dir.exists()


def test_ask_with_a_database_but_no_service(nexus: Nexus, database_url: str) -> None:
    nexus.configure(url=database_url)
    assert "no service is consuming" in one_line(nexus.run("ask", "hello"), 3)
    assert query(database_url, "SELECT FROM pgmq.q_ai_requests") == []


BAD_CONFIG = """
[queue]
batch_sise = 100
requests = 'ai"requests'
poll_interval = -1

[providers.mine]
kind = "ecko"
"""


@pytest.mark.parametrize("command", [("start",), ("config", "check"), ("ask", "hello")])
def test_bad_config_lists_every_mistake(nexus: Nexus, command: tuple[str, ...]) -> None:
    nexus.configure(BAD_CONFIG, url="mysql://me:hush@somewhere/db", log_level="loud")
    done = nexus.run(*command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 6
    for path in (
        "service.log_level",
        "database.url",
        "queue.batch_sise",
        "queue.requests",
        "queue.poll_interval",
        "providers.mine",
    ):
        assert sum(f": {path}" in line for line in lines) == 1, (path, lines)
    assert "did you mean batch_size?" in done.stderr


def test_a_queue_name_with_a_quote(nexus: Nexus) -> None:
    nexus.configure("[queue]\nrequests = 'ai\"requests'")
    line = one_line(nexus.run("start"), 2)
    assert "queue.requests" in line
    assert "expected 1 to 47 lower-case letters, digits or _" in line


def test_config_that_is_not_there(nexus: Nexus) -> None:
    assert "nowhere.toml" in one_line(nexus.run("start", "--config", "nowhere.toml"), 2)


@pytest.mark.parametrize("command", [("start",), ("db", "migrate"), ("enqueue", "-"), ("ask", "x")])
def test_unreachable_database(nexus: Nexus, command: tuple[str, ...]) -> None:
    nexus.configure("wait = 0", url="postgresql://me:hush@127.0.0.1:1/nexus")
    line = one_line(nexus.run(*command), 4)
    assert "127.0.0.1:1" in line
    assert "connection refused" in line
    assert "hush" not in line


def test_unknown_database(nexus: Nexus, database_url: str) -> None:
    nexus.configure(url=urlsplit(database_url)._replace(path="/nowhere").geturl())
    assert '"nowhere" does not exist' in one_line(nexus.run("start"), 4)


def test_a_queue_that_is_not_there(nexus: Nexus, empty_database_url: str) -> None:
    nexus.configure(url=empty_database_url)
    line = one_line(nexus.run("enqueue", "-", stdin='{"task_type": "coder", "input": "x"}'), 4)
    assert "nexus db migrate" in line
    first, again = (nexus.run("db", "migrate") for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0)
    for told in ("made the schema pgmq, the schema nexus", "the queue ai_requests,", "at version "):
        assert told in first.stderr
    assert again.stderr == f"the database is up to date at version {first.stderr.split()[-1]}\n"


@pytest.fixture
def powerless(database_url: str) -> Iterator[str]:
    """The URL of a role that may connect, and nothing else."""
    role = f"powerless_{uuid.uuid4().hex}"
    query(database_url, f"CREATE ROLE {role} LOGIN")
    parts = urlsplit(database_url)
    try:
        yield parts._replace(netloc=parts.netloc.replace("postgres@", f"{role}@")).geturl()
    finally:
        query(database_url, f"DROP ROLE {role}")


def test_missing_permission(nexus: Nexus, powerless: str) -> None:
    nexus.configure(url=powerless)
    assert "permission denied" in one_line(nexus.run("start"), 4)


@pytest.mark.usefixtures("cluster")
def test_wrong_password(nexus: Nexus) -> None:
    """Against a server of its own, which asks for one."""
    assert nexus.run("db", "migrate").returncode == 0
    rules = nexus.data_dir / "postgres" / "pg_hba.conf"
    rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")
    service = nexus.start()
    service.wait_ready()
    url = embedded_url(nexus.data_dir)
    query(url, "CREATE ROLE guarded LOGIN PASSWORD 'right'")
    nexus.data_dir = nexus.folder / "other"
    nexus.configure(url=url.replace("postgres@", "guarded:wrong-one@"))
    line = one_line(nexus.run("start"), 4)
    assert "password authentication failed" in line
    assert "wrong-one" not in line
    nexus.data_dir = nexus.folder / "data"
    nexus.configure()
    assert nexus.run("stop").returncode == 0


def test_a_data_dir_that_cannot_be(nexus: Nexus) -> None:
    nexus.data_dir = nexus.config / "below-a-file"
    nexus.configure()
    assert "cannot use data_dir" in one_line(nexus.run("start"), 2)


@pytest.mark.parametrize("command", [("start",), ("db", "migrate")])
def test_a_full_data_dir_is_one_line(nexus: Nexus, command: tuple[str, ...]) -> None:
    """No file of ours can grow: the disk is full, as far as the process knows. Somebody may make
    room, so it is not exit code 2, after which systemd does not try again."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", NEXUS, *command],
        env=nexus.environ,
        cwd=nexus.folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    line = one_line(done, 1)
    assert str(nexus.data_dir) in line


def test_a_variable_of_libpq_that_cannot_be_is_a_mistake(nexus: Nexus) -> None:
    nexus.configure(url="postgresql://me@127.0.0.1:1/db")
    nexus.environ["PGSSLMODE"] = "requre"
    assert "sslmode" in one_line(nexus.run("start"), 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's server runs as that user")
def test_under_root_nothing_of_others_is_opened_for_the_embedded_server(nexus: Nexus) -> None:
    home = nexus.folder / "home"
    home.mkdir(mode=0o700)
    nexus.data_dir = home / ".local" / "state" / "nexus"
    nexus.configure()
    assert f"may not enter {home} (mode 0700)" in one_line(nexus.run("start"), 2)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


USAGE = {
    ("stat",): "stat",
    ("ask", "x", "--modle", "y"): "--modle",
    ("ask", "x", "--timeout", "soon"): "--timeout",
    ("ask", "x", "--complexity", "huge"): "simple",
    ("enqueue",): "FILE",
    ("enqueue", "no-such-file.jsonl"): "no-such-file.jsonl",
}


@pytest.mark.parametrize(("command", "named"), USAGE.items(), ids=map(" ".join, USAGE))
def test_wrong_usage(nexus: Nexus, command: tuple[str, ...], named: str) -> None:
    assert named in one_line(nexus.run(*command), 2)
