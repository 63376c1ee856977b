"""A log line is a line, whatever it tells."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOSTILE = "[/x]\x1b]0;x\x07\r\n2026-01-01T00:00:00Z [info] forged\u202e\x9b31m\x7f\ud800é"
PROGRAM = """
import logging, structlog, sys
from nexus_actors.operations.logs import configure_logs

class Odd:
    def __repr__(self):
        return hostile

hostile = eval(sys.argv[2])
configure_logs("info", sys.argv[1])
log = structlog.get_logger("nexus.test")
log.warning("a" * 300_000, **{hostile: "b" * 300_000})
log.warning(hostile, error=hostile, nested={hostile: [hostile, Odd()]}, odd=Odd(), bytes=b"\\x9b")
logging.getLogger("supervisors").warning("%s: %s", hostile, Odd(), extra={"state": Odd()})
try:
    raise ValueError(hostile)
except ValueError as error:
    error.add_note(hostile)
    log.exception("it is caught")
    logging.getLogger("asyncio").exception(hostile)
"""


def said(log_format: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, log_format, ascii(HOSTILE)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    text = done.stderr.decode()
    assert "Logging error" not in text
    assert all(it == "\n" or it.isprintable() for it in text)
    return text


def test_for_eyes_only_our_own_lines_begin_one() -> None:
    text = said("console")
    entries = [line for line in text.splitlines() if line[:1] not in ("", " ")]
    levels = ["warning"] * 3 + ["error"] * 2
    assert [line.split("[")[1].split()[0] for line in entries] == levels
    assert len(entries[0]) < 25_000
    assert r"[/x]\x1b]0;x\x07\r\n2026-01-01T00:00:00Z [info] forged\u202e\x9b31m\x7f\ud800é" in text
    assert r"  ValueError: [/x]\x1b]0;x\x07" in text


def test_for_machines_each_is_one_line_of_json_that_says_all_of_it() -> None:
    long, *lines = [json.loads(line) for line in said("json").splitlines()]
    assert long[HOSTILE] == "b" * 300_000
    assert [line["level"] for line in lines] == ["warning", "warning", "error", "error"]
    assert lines[0]["event"] == lines[0]["error"] == lines[0]["odd"] == HOSTILE
    assert lines[0]["nested"] == {HOSTILE: [HOSTILE, HOSTILE]}
    assert lines[1]["event"] == f"{HOSTILE}: {HOSTILE}"
    assert HOSTILE in lines[2]["exception"]


def test_the_journal_gets_each_line_with_its_priority(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("wb") as stream:
        found = os.fstat(stream.fileno())
        subprocess.run(
            [sys.executable, "-c", PROGRAM, "console", ascii("x")],
            stderr=stream,
            env={**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
            check=True,
            timeout=60,
        )
    lines = (tmp_path / "journal").read_text().splitlines()
    marks = {
        word: {line[:3] for line in lines if word in line}
        for word in ("[warning", "[error", "ValueError: x")
    }
    assert marks == {"[warning": {"<4>"}, "[error": {"<3>"}, "ValueError: x": {"<3>"}}


def test_what_is_logged_where_no_log_is_set_up_is_shown_alike(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nexus_actors.cli import report

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    report._guard_streams()
    assert logging.lastResort is not None
    logging.lastResort.handle(logging.makeLogRecord({"msg": "\x1b]0;x\x07"}))
    sys.excepthook(ValueError, ValueError("\x1b[2J\x9b"), None)
    told = capsys.readouterr().err
    assert r"\x1b]0;x\x07" in told
    assert told.endswith("ValueError: \\x1b[2J\\x9b\n")
