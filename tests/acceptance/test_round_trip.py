"""A service, on an embedded PostgreSQL or on one that is given, and every command against it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.nexus import Nexus, one_line, query, value, wait_for

LINES = """\
{"request_id": "one", "complexity": "simple", "messages": [{"role": "user", "content": "first"}]}

{"complexity": "gigantic", "messages": [{"role": "user", "content": "second"}]}
{"request_id": "three", "complexity": "simple", "messages":
{"task_type": "coder", "messages": [{"role": "user", "content": "fourth"}]}
{"request_id": "five", "complexity": "complex", "input": "fifth"}
{"request_id": "six", "complexity": "complex", "input": "what jsonb cannot hold: \\u0000"}
"""


def test_a_service_from_start_to_stop(nexus: Nexus) -> None:
    service = nexus.start()
    service.wait_ready()
    assert service.status()["pid"] == service.pid
    assert "database" in nexus.run("status").stdout

    answer = nexus.json("ask", "how are you?", "--task-type", "coder")
    assert answer["response"] == "echo: how are you?"
    assert answer["usage"]["total_tokens"] == 7
    plain = nexus.run("ask", stdin="from a pipe")
    assert plain.stdout == "echo: from a pipe\n"
    assert "echo/echo" in plain.stderr

    again = nexus.json("result", answer["request_id"])
    assert (again["status"], again["response"]) == ("ok", "echo: how are you?")
    assert (
        one_line(nexus.run("result", "nobody-knows-it"), 5)
        == "nexus: no result for nobody-knows-it: the journal does not know it, and it is not among"
        " the last that were sent to the queue"
    )
    waited = nexus.run("result", "nobody-knows-it", "--wait", "--timeout", "0.1")
    assert waited.stderr.startswith("nobody-knows-it is unknown so far: the journal does not know")
    assert waited.returncode == 5

    failed = nexus.run("ask", "x", "--model", "nowhere/none", "--json")
    assert failed.returncode == 1
    told = json.loads(failed.stdout)
    assert told["error"]["type"] == "model_unavailable"
    why, where = failed.stderr.splitlines()
    assert why.startswith("nexus: model_unavailable: ")
    assert where == f"nexus: what became of it: nexus explain {told['request_id']}"
    assert nexus.run("result", told["request_id"]).returncode == 1
    assert f"(pid {service.pid})" in one_line(nexus.run("start"), 1)

    stopped = nexus.run("stop")
    assert stopped.returncode == 0
    assert stopped.stderr == f"stopped (pid {service.pid})\n"
    assert service.wait() == 0
    assert "nexus stop: this process stops itself, by SIGTERM" in service.log
    assert "Traceback" not in service.log


def test_the_tree_shows_every_actor(nexus: Nexus, database_url: str) -> None:
    nexus.configure(url=database_url)
    service = nexus.start()
    service.wait_ready()
    root = nexus.json("tree")
    assert root["name"] == "Nexus.Supervisor"
    assert [child["name"] for child in root["children"]] == [
        "Registry",
        "Database",
        "Heartbeat.Supervisor",
        "Pipeline.Supervisor",
        "ResultPoller",
        "Pruner",
        "Rollup",
        "Control",
        "Watchdog",
    ]
    names = list(_names(root))
    assert "echo.Worker.1" in names
    shown = nexus.run("tree").stdout
    assert all(name in shown for name in names)


def _names(node: dict[str, Any]) -> list[str]:
    return [node["name"], *(name for child in node["children"] for name in _names(child))]


def test_enqueue_sends_good_lines_and_names_bad_ones(nexus: Nexus, database_url: str) -> None:
    nexus.configure(url=database_url)
    service = nexus.start()
    service.wait_ready()
    file = nexus.folder / "requests.jsonl"
    file.write_text(LINES)
    done = nexus.run("enqueue", str(file))
    assert done.returncode == 1
    first, generated, last = done.stdout.splitlines()
    assert (first, last) == ("one", "five")
    assert "nexus: line 3: invalid_complexity" in done.stderr
    assert "nexus: line 4: invalid_request" in done.stderr
    assert "3 sent to ai_requests, 3 invalid lines skipped" in done.stderr
    assert "nexus: line 7: invalid_request: input" in done.stderr
    for request_id in (first, generated, last):
        assert nexus.run("result", request_id, "--wait").returncode == 0
    again = nexus.run("enqueue", str(file)).stderr
    assert "3 sent to ai_requests, 2 of them under ids that are known already: no new" in again


@pytest.mark.usefixtures("cluster")
def test_enqueue_and_migrate_need_no_service(nexus: Nexus) -> None:
    assert nexus.run("db", "migrate").returncode == 0
    assert nexus.run("db", "migrate").returncode == 0
    line = json.dumps({**json.loads(LINES.splitlines()[0]), "max_token": 5})
    sent = nexus.run("enqueue", "-", stdin=line)
    assert sent.stdout == "one\n"
    assert "dropped: max_token (in 1)" in sent.stderr
    nexus.wait_all_gone()
    service = nexus.start()
    service.wait_ready()
    result = nexus.json("result", "one", "--wait")
    assert (result["response"], result["dropped"]) == ("echo: first", ["max_token"])
    url = nexus.run("db", "url").stdout.strip()
    assert value(url, "SELECT count(*) FROM job_results") == 1


def test_plain_sql_in_and_job_results_out(nexus: Nexus, database_url: str) -> None:
    nexus.configure(url=database_url)
    service = nexus.start()
    service.wait_ready()
    assert nexus.run("db", "url").stdout.strip() == database_url
    body = json.dumps({"request_id": "r", "complexity": "simple", "input": "hello"})
    query(database_url, "SELECT pgmq.send('ai_requests', $1::jsonb)", body)
    rows = wait_for(lambda: query(database_url, "SELECT * FROM job_results"), "the row")
    assert [row["status"] for row in rows] == ["success"]
    assert json.loads(rows[0]["output"])["response"] == "echo: hello"


def test_two_services_with_their_own_folders_share_one_database(
    nexus: Nexus, database_url: str
) -> None:
    nexus.configure(url=database_url)
    first = nexus.start()
    first.wait_ready()
    other = nexus.folder / "other.toml"
    other.write_text(nexus.config.read_text().replace(str(nexus.data_dir), str(nexus.folder / "b")))
    nexus.start("--config", str(other))
    wait_for(lambda: nexus.run("status", "-c", str(other)).returncode == 0, "the other service")
    assert nexus.run("stop", "-c", str(other)).returncode == 0
    assert first.process.poll() is None
    assert Path(nexus.data_dir / "control.sock").exists()
