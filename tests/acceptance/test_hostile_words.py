"""Whatever producers, providers and configs write, no command steers a terminal or fails of it."""

import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.cli.report import run
from tests.acceptance.nexus import Nexus, query, value, wait_for

WORDS = "[/x][link=y]\x1b]0;x\x07\r\n\t\u202e\x9b31m:smile:"
TOLD = r"[/x][link=y]\x1b]0;x\x07\r\n\t\u202e\x9b31m:smile:"
ID = "id" + WORDS
CONFIG = """
[budgets.small]
dollars = 1.0
agent = {words}
per = "day"

[providers.one]
kind = "echo"

[[routes]]
models = [{model}, "one/m"]
"""
LETTER = {
    "request_id": ID,
    "reason": WORDS,
    "detail": {"provider": WORDS, "message": WORDS, "path": WORDS},
    "request": {"complexity": "simple", "messages": [], WORDS: WORDS},
    "attempts": 1,
}


class Words:
    """The commands, in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *tokens: str, code: int = 0, told: bool = True) -> str:
        """What a command says, on both streams; it steers nothing, and tells the words."""
        assert run(tokens) == code, (tokens, self._capture.readouterr())
        said = self._capture.readouterr()
        text = said.out + said.err
        assert all(it in "\n\t" or it.isprintable() for it in text), (tokens, text)
        assert "Traceback" not in text
        if told and "--json" in tokens:
            assert WORDS in _texts(json.loads(said.out)), (tokens, text)
        elif told:
            assert TOLD in text, (tokens, text)
        return text


def _texts(data: Any) -> str:
    """All texts of a JSON document."""
    if isinstance(data, dict):
        return " ".join(map(_texts, [*data, *data.values()]))
    return " ".join(map(_texts, data)) if isinstance(data, list) else str(data)


@pytest.fixture
def command(
    nexus: Nexus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Words:
    monkeypatch.setenv("NEXUS_CONFIG", str(nexus.config))
    monkeypatch.setenv("COLUMNS", "4000")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler())
    return Words(capsys)


def test_hostile_words_reach_no_terminal(
    nexus: Nexus, database_url: str, command: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, model = json.dumps(WORDS), json.dumps(f"one/{WORDS}")
    nexus.configure(CONFIG.format(words=words, model=model), url=database_url)
    service = nexus.start()
    service.wait_ready()
    good = {"complexity": "simple", "messages": [{"role": "user", "content": WORDS}]}
    sent = [{**good, "request_id": ID}, {"request_id": "bad" + WORDS, "complexity": WORDS}]
    for line in sent:
        query(database_url, "SELECT pgmq.send('ai_requests', $1::jsonb)", json.dumps(line))
    wait_for(lambda: value(database_url, "SELECT count(*) FROM job_results") == 2, "results")
    _write_hostile_rows(database_url)

    pause = "INSERT INTO nexus.control (action, subject, name, by, why) VALUES"
    query(database_url, f"{pause} ('pause', 'agent', $1, $1, $1)", WORDS)
    wait_for(lambda: service.status()["paused"], "the pause")
    paused = {**good, "request_id": "paused" + WORDS, "agent_id": WORDS}
    query(database_url, "SELECT pgmq.send('ai_requests', $1::jsonb)", json.dumps(paused))
    told = "SELECT count(*) = 1 FROM nexus.waiting WHERE reason = 'paused'"
    wait_for(lambda: value(database_url, told), "what waits")
    for as_json in ((), ("--json",)):
        command("waiting", *as_json)
        command("explain", "paused" + WORDS, *as_json)
        command("resume", "agent", WORDS + "?", *as_json, told=not as_json)
        command("dead", "list", *as_json)
        command("explain", ID, *as_json)
        command("result", "bad" + WORDS, *as_json, code=1)
        command("budgets", *as_json)
        command("models", *as_json)
        command("config", "show", *as_json, told=bool(as_json))
        for name in ("status", "tree"):
            command(name, *as_json, told=False)
        file = _file(nexus, {**good, "model": WORDS})
        command("route", file, *as_json, told=False)
    assert r"[/x][link=y]\x1b]0;x\x07" in command("result", ID, told=False)
    assert r"[/x][link=y]\x1b]0;x\x07" in command("ask", WORDS, told=False)
    command("config", "check", told=False)
    command("explain", "none" + WORDS, code=5)
    command("result", "none" + WORDS, "--timeout", "0.1", code=5, told=False)
    command(WORDS, code=2, told=False)
    command("route", "none" + WORDS, code=2)
    lines = [json.dumps({**good, "request_id": "sent" + WORDS}), json.dumps({WORDS: WORDS})]
    stdin = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    command("enqueue", "-", code=1)

    (number,) = (
        row["msg_id"]
        for row in query(
            database_url,
            "SELECT msg_id FROM pgmq.q_ai_requests_dead WHERE message ->> 'request_id' = $1",
            ID,
        )
    )
    assert json.loads(command("dead", "show", str(number), told=False)) == LETTER
    command("dead", "retry", "--reason", WORDS, "--yes")
    command("dead", "purge", "--all", "--yes", told=False)

    assert all(it in "\n" or it.isprintable() for it in service.log)
    nexus.configure(f"[providers.{words}]\nkind = {words}\n{words} = 1", url=database_url)
    command("config", "check", code=2)
    command("config", "show", code=2)


def _file(nexus: Nexus, request: object) -> str:
    path = Path(nexus.folder) / "request.json"
    path.write_text(json.dumps(request))
    return str(path)


def _write_hostile_rows(url: str) -> None:
    """As an older release, another client or a provider may have left them."""
    query(
        url,
        "UPDATE job_results SET output = jsonb_set(output, '{error,message}', to_jsonb($1::text))"
        " WHERE output ->> 'request_id' <> $2",
        WORDS,
        ID,
    )
    query(url, "SELECT pgmq.send('ai_requests_dead', $1::jsonb)", json.dumps(LETTER))
    query(
        url,
        "UPDATE nexus.requests SET agent_id = $1, task_type = $1, model = $1, error_type = $1,"
        " retry_of = $1 WHERE request_id = $2",
        WORDS,
        ID,
    )
    query(
        url,
        "UPDATE nexus.attempts SET model = $1, provider = $1, error = $1, dropped = ARRAY[$1],"
        " key_name = $1 WHERE request_id = $2",
        WORDS,
        ID,
    )
    query(
        url,
        "INSERT INTO nexus.model_quirks (provider, model, field, effort, reason, learnt_at)"
        " VALUES ('one', 'm', $1, '', $1, now())",
        WORDS,
    )
