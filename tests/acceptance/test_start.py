"""A start before its database is there, and what a hang-up does."""

import os
import pty
import re
import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.acceptance.nexus import Nexus, one_line, wait_for
from tests.acceptance.notified import notified


def test_it_waits_for_a_database_that_is_not_up_yet_and_a_hangup_ends_nothing(
    nexus: Nexus, database_url: str
) -> None:
    """The socket's folder is not there at first, as before PostgreSQL's start."""
    parts = urlsplit(database_url)
    (real,) = parse_qs(parts.query)["host"]
    place = nexus.folder / "pg"
    nexus.configure("wait = 50", url=parts._replace(query=f"host={place}&port=5432").geturl())
    with notified(nexus) as manager:
        service = nexus.start()
        log = nexus.folder / "service-0.log"
        wait_for(lambda: "waiting for the database" in log.read_text(), "the first try")
        service.signal(signal.SIGHUP)
        wait_for(lambda: "SIGHUP" in log.read_text(), "the hang-up's line")
        waiting = one_line(nexus.run("status"), 6)
        since = (
            r"is starting: it waits for the database, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC: "
        )
        assert re.search(since, waiting)
        assert "no such socket" in waiting
        assert "no such socket" in manager.until("STATUS=waits for the database: ")
        place.symlink_to(real)
        service.wait_ready()
        manager.until("READY=1")
        assert "EXTEND_TIMEOUT_USEC=60000000" in manager.said
        assert "RELOADING=1" not in manager.said  # its end would have been taken for the start's
    service.signal(signal.SIGHUP)
    wait_for(lambda: log.read_text().count("SIGHUP") == 2, "the second hang-up's line")
    assert service.status()["state"] == "ready"
    service.signal(signal.SIGTERM)
    assert service.wait() == 0
    text = log.read_text()
    assert text.count("waiting for the database") == 1
    assert f"{place}:5432" in text
    assert "no such socket" in text


def test_a_terminal_that_goes_takes_the_service_along_and_a_stop_ends_the_wait(
    nexus: Nexus,
) -> None:
    nexus.configure("wait = 50", url=f"postgresql://me@/db?host={nexus.folder}")
    ours, theirs = pty.openpty()
    log: Path = nexus.folder / "log"
    with log.open("wb") as output, os.fdopen(theirs, "r+b", buffering=0) as terminal:
        process = nexus.begin(["start"], nexus.environ, terminal, output, output)
    try:
        wait_for(lambda: "waiting for the database" in log.read_text(), "the first try")
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 0
        waiting = nexus.spawn("start", output=log)
        wait_for(lambda: log.read_text().count("waiting for the database") == 1, "the wait")
        assert nexus.run("stop").returncode == 0
        assert waiting.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert "Traceback" not in log.read_text()
