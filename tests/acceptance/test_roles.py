"""The roles of `nexus db roles` can do their work, and no more."""

import getpass
import json
import shutil

import asyncpg
import pytest

from nexus_actors.cli import exit_codes
from tests.acceptance.nexus import Inside, Nexus, one_line, query, send, value, wait_for

HELLO = {"role": "user", "content": "hello"}
BUDGET = """
[budgets.all]
dollars = 5.0
per = "day"
"""


def test_a_service_and_a_producer_with_just_what_they_need(
    nexus: Nexus, database_url: str, roles: tuple[str, str, str], inside: Inside
) -> None:
    service_url, producer_url, operator_url = roles
    nexus.configure(BUDGET, url=service_url)
    service = nexus.start()
    service.wait_ready()
    send(producer_url, 20)
    query(producer_url, "SELECT pgmq.send('ai_requests', '{\"request_id\": \"bad\"}')")
    wait_for(lambda: value(producer_url, "SELECT count(*) FROM job_results") == 21, "results")
    assert value(database_url, "SELECT count(*) FROM pgmq.q_ai_requests_dead") == 1
    assert nexus.run("explain", "request-001").returncode == 0
    a_producer_sends_in_every_way_and_writes_nothing_else(producer_url)
    an_operator_runs_the_commands(nexus, inside, operator_url)
    an_operator_sends_again_what_is_only_in_the_archive(nexus, inside, database_url)
    a_copied_data_dir_is_refused_by_name(nexus, service_url, service.pid)
    nexus.configure(url=service_url)
    service.process.terminate()
    assert service.wait() == 0
    assert "permission" not in service.log

    for url, statement in (
        (service_url, "SELECT pgmq.purge_queue('ai_requests')"),
        (service_url, "DROP TABLE nexus.requests"),
        (service_url, "DELETE FROM public.job_results"),
        (service_url, "SELECT pgmq.create('another')"),
        (producer_url, "SELECT message FROM pgmq.q_ai_requests"),
        (producer_url, "DELETE FROM pgmq.q_ai_requests"),
        (producer_url, "SELECT * FROM nexus.requests"),
        (producer_url, "SELECT * FROM pgmq.q_ai_results"),
        (producer_url, "INSERT INTO public.job_results DEFAULT VALUES"),
        (service_url, "SELECT nexus.send('{}')"),
        (service_url, "SELECT nexus.send_again('ai_requests', 'bad', 1, '{}')"),
        (producer_url, "SELECT nexus.send_again('ai_requests', 'bad', 1, '{}')"),
        (service_url, "UPDATE public.job_results SET workflow = 'another'"),
        (operator_url, "SELECT message FROM pgmq.q_ai_requests"),
        (operator_url, "DELETE FROM pgmq.q_ai_requests"),
        (operator_url, "INSERT INTO pgmq.q_ai_requests (vt, read_ct) VALUES (now(), 7)"),
        (operator_url, "UPDATE pgmq.q_ai_requests_dead SET message = NULL"),
        (operator_url, "SELECT message FROM pgmq.q_ai_results"),
        (operator_url, "SELECT archived_at FROM pgmq.a_ai_requests"),
        (operator_url, "DELETE FROM nexus.requests"),
        (operator_url, "UPDATE nexus.spending SET spent = 0"),
        (operator_url, "DELETE FROM public.job_results"),
        (operator_url, "UPDATE nexus.nodes SET state = 'ready'"),
        (operator_url, "UPDATE nexus.chores SET term = 0"),
        (producer_url, "SELECT * FROM nexus.node_states"),
        (producer_url, "SELECT nexus.cancel_where(state => 'any')"),
        (producer_url, "INSERT INTO nexus.cancellations (request_id) VALUES ('r')"),
        (producer_url, "SELECT nexus.node_id('*')"),
        (producer_url, "SELECT nexus.look('one', 'tree')"),
        (producer_url, "SELECT * FROM nexus.sums"),
        (service_url, "SELECT nexus.command('one', 'reload')"),
        (service_url, "SELECT FROM nexus.audit"),
        (service_url, "DELETE FROM nexus.audit"),
        (service_url, "UPDATE nexus.audit SET by = 'somebody else'"),
        (
            service_url,
            "INSERT INTO nexus.audit (by, role, action, subject) VALUES ('', '', '', '')",
        ),
        (operator_url, "UPDATE nexus.audit SET by = 'somebody else'"),
        (producer_url, "SELECT nexus.record('a', 'b', NULL)"),
        (service_url, "SELECT nexus.edit_letter(1, '{}')"),
        (service_url, "UPDATE nexus.commands SET action = 'reload'"),
        (
            operator_url,
            "INSERT INTO nexus.audit (by, role, action, subject) VALUES ('', '', '', '')",
        ),
        (operator_url, "DELETE FROM nexus.audit"),
        (operator_url, "UPDATE nexus.commands SET outcome = 'done'"),
        (operator_url, "UPDATE nexus.sights SET body = '{}'"),
        (operator_url, "UPDATE nexus.sums SET cost = 0"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(url, statement)


def a_producer_sends_in_every_way_and_writes_nothing_else(url: str) -> None:
    """What PGMQ offers keeps working; beside it there is nexus.send, with bounds."""
    for call in (
        "send('ai_requests', $1::jsonb, 3600)",
        "send('ai_requests', $1::jsonb, '{}'::jsonb, 3600)",
        "send('ai_requests', $1::jsonb, now() + interval '1 hour')",
        "send_batch('ai_requests', ARRAY[$1::jsonb], 3600)",
        "send_batch('ai_requests', ARRAY[$1::jsonb], ARRAY['{}'::jsonb], 3600)",
    ):
        assert value(url, f"SELECT pgmq.{call}", "{}") > 0
    message = {
        "request_id": "by-nexus-send",
        "complexity": "simple",
        "messages": [{"role": "user", "content": "hello"}],
    }
    assert value(url, "SELECT nexus.send($1::jsonb)", json.dumps(message)) > 0
    wait_for(lambda: value(url, "SELECT count(*) FROM job_results") == 22, "its result")
    assert value(url, "SELECT nexus.cancel('by-nexus-send', 'too late')") == "ended"
    for arguments, expected in (
        ("'{}', -1", "expected a delay of 0 to 31622400 seconds"),
        ("'{}', 40000000", "expected a delay"),
        ("'{}', NULL", "expected a delay"),
        ("'[]'", "expected the message to be a JSON object"),
        ("NULL", "expected the message to be a JSON object"),
        ("'{}', 0, 'ai_results'", "expected queue to be one of: ai_requests"),
        ("jsonb_build_object('a', repeat('a', 68000000))", "expected a message of 67108864 bytes"),
    ):
        with pytest.raises(asyncpg.PostgresError, match=expected):
            query(url, f"SELECT nexus.send({arguments})")
    for column, content in (
        ("read_ct", "2147483647"),
        ("enqueued_at", "'294000-01-01'"),
        ("msg_id", "10000000"),
    ):
        forged = f"(vt, {column}) OVERRIDING SYSTEM VALUE VALUES (now(), {content})"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            query(url, f"INSERT INTO pgmq.q_ai_requests {forged}")


def an_operator_runs_the_commands(nexus: Nexus, inside: Inside, url: str) -> None:
    nexus.configure(BUDGET, url=url)
    (letter,) = inside.json("dead", "list")
    assert inside.run("dead", "show", str(letter["number"])).returncode == 0
    assert inside.run("ask", "hello").returncode == 0
    assert inside.run("enqueue", "-", stdin='{"messages": "x"}').returncode == 1
    sent = {"request_id": "by-operator", "complexity": "simple", "messages": [HELLO]}
    assert inside.run("enqueue", "-", stdin=json.dumps(sent)).returncode == 0
    assert inside.run("result", "by-operator", "--wait").returncode == 0
    assert inside.run("explain", "by-operator").returncode == 0
    assert inside.run("cancel", "by-operator").returncode == 1
    assert inside.json("cancel", "--agent", "nobody") == {"cancelled": 0}
    assert [it["budget"] for it in inside.json("budgets")] == ["all"]
    assert [it["state"] for it in inside.json("nodes")] == ["ready"]
    query(url, "SELECT min(enqueued_at) FROM pgmq.q_ai_requests")  # nexus top
    query(url, "SELECT min(enqueued_at) FROM pgmq.q_ai_results")
    query(url, "SELECT nexus.node_id(host) FROM nexus.nodes")
    query(url, "SELECT nexus.look(host, 'tree'), nexus.command(host, 'reload') FROM nexus.nodes")
    query(url, "SELECT FROM nexus.sums, nexus.totals, nexus.sums_progress, nexus.latency_bounds()")
    query(url, "SELECT FROM nexus.backlog")
    query(url, "SELECT FROM nexus.looks, nexus.sights, nexus.commands, nexus.audit")
    an_operator_orders_a_node_and_is_on_record(inside, letter["number"], url)
    assert "not shown" not in inside.run("models").stderr
    assert inside.run("models", "forget", "--all").returncode == 0
    query(url, "SELECT count(msg_id) FROM pgmq.q_ai_requests WHERE vt <= now()")
    query(url, "SELECT count(msg_id) FROM pgmq.q_ai_results WHERE vt <= now()")
    assert (
        "is sent again under its id"
        in inside.run("dead", "retry", "--all", "--same-id", "--yes").stdout
    )
    letters = "SELECT count(msg_id) FROM pgmq.q_ai_requests_dead"
    wait_for(lambda: value(url, letters) == 1, "the letter of its second failure")
    assert "sent again under the same id" in inside.run("explain", "bad").stdout
    assert inside.run("dead", "retry", "--all", "--yes").returncode == 0
    wait_for(lambda: value(url, letters) == 1, "the letter of the request that was sent again")
    assert inside.run("dead", "purge", "--all", "--yes").returncode == 0
    assert inside.json("dead", "list") == []


def an_operator_orders_a_node_and_is_on_record(inside: Inside, letter: int, url: str) -> None:
    host = value(url, "SELECT host FROM nexus.nodes")
    told = inside.json("restart", "Router", "--node", host, "--why", "stuck")
    assert told["outcome"] == "Router has ended, and is started anew"
    assert (
        "the others depend on it" in inside.run("actor", "stop", "Database", "--node", host).stderr
    )
    assert inside.run("actor", "stop", "Pruner", "--node", host).returncode == 0
    assert "is stopped" in inside.run("actor", "show", "Pruner", "--node", host).stderr
    assert inside.run("actor", "start", "Pruner", "--node", host).returncode == 0
    assert inside.json("actor", "show", "Pruner", "--node", host)["sys_state"] == "running"
    changed = json.dumps({"request_id": "bad", "model": "m"})
    edited = inside.run("dead", "edit", str(letter), "--request", "-", stdin=changed)
    assert edited.returncode == 0, edited.stderr
    wrong = inside.run("dead", "edit", str(letter), "--request", "-", stdin="[]")
    assert (wrong.returncode, "expected the request to be a JSON object" in wrong.stderr) == (
        2,
        True,
    )
    acts = inside.json("audit")
    done = [(it["action"], it["subject"].split(" on ")[0]) for it in acts]
    assert ("edit", f"letter {letter}") in done
    assert [it for it in done if it[1] == "Pruner"] == [("start", "Pruner"), ("stop", "Pruner")]
    assert "stuck" in inside.run("audit").stdout


def an_operator_sends_again_what_is_only_in_the_archive(
    nexus: Nexus, inside: Inside, owner_url: str
) -> None:
    query(
        owner_url,
        "SELECT pgmq.send('ai_requests_dead', jsonb_build_object('request_id', 'request-001',"
        " 'request', NULL, 'archived_msg_id', msg_id))"
        " FROM pgmq.a_ai_requests WHERE message ->> 'request_id' = 'request-001'",
    )
    paid = {"reason": "no", "queue": "ai_results", "result": {"request_id": "paid"}}
    query(owner_url, "SELECT pgmq.send('ai_requests_dead', $1::jsonb)", json.dumps(paid))
    sent, back = inside.json("dead", "retry", "--all", "--yes")
    assert (back["request_id"], back["put_back"]) == ("paid", True)
    assert inside.run("result", sent["new_id"], "--wait").returncode == 0
    assert inside.run("result", "paid", "--wait").returncode == 0


def a_copied_data_dir_is_refused_by_name(nexus: Nexus, url: str, pid: int) -> None:
    copy = nexus.folder / "copy"
    shutil.copytree(nexus.data_dir, copy, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    nexus.configure(url=url, data_dir=str(copy))
    refused = nexus.run("start")
    line = one_line(refused, 2)
    assert f"(pid {pid}" in line
    assert "delete the file instance-id" in line


@pytest.mark.parametrize("who", ["service", "operator"])
def test_dead_letters_are_purged_with_either_role_and_sent_again_by_operators(
    nexus: Nexus,
    database_url: str,
    roles: tuple[str, str, str],
    inside: Inside,
    who: str,
) -> None:
    """Root runs commands with the config of the service, so with its role."""
    urls = dict(zip(("service", "producer", "operator"), roles, strict=True))
    nexus.configure(url=urls[who])
    sent = {"request_id": "r", "complexity": "simple", "messages": [HELLO]}
    letter = {"request_id": "r", "reason": "timeout", "request": sent}
    put = "SELECT pgmq.send('ai_requests_dead', $1::jsonb)"
    first, second, third = (value(database_url, put, json.dumps(letter)) for _ in range(3))
    changed = json.dumps({**sent, "model": "m"})
    assert [it["number"] for it in inside.json("dead", "list")] == [first, second, third]
    edited = inside.run("dead", "edit", str(first), "--request", "-", stdin=changed)
    retried = inside.run("dead", "retry", str(second))
    assert inside.run("dead", "purge", str(third)).returncode == 0
    done = [("purge", f"letter {third}")]
    left = [first, second]
    if who == "operator":
        done = [("edit", f"letter {first}"), ("retry", f"letter {second}"), *done]
        left = [first]
        assert (edited.returncode, retried.returncode) == (0, 0)
    else:  # it may send no request, as this would be
        for refused in (edited, retried):
            assert refused.returncode == exit_codes.DATABASE
            assert "permission denied" in refused.stderr
    acts = query(database_url, "SELECT action, subject, by, role FROM nexus.audit ORDER BY number")
    assert [(it["action"], it["subject"]) for it in acts] == done
    user = getpass.getuser()
    role = value(urls[who], "SELECT session_user::text")
    assert {(it["by"].split("@")[0], it["role"]) for it in acts} == {(user, role)}
    rows = query(database_url, "SELECT msg_id FROM pgmq.q_ai_requests_dead ORDER BY msg_id")
    assert [it["msg_id"] for it in rows] == left
    assert value(database_url, "SELECT count(*) FROM pgmq.q_ai_requests") == (who == "operator")


def test_a_roles_name_is_a_name(nexus: Nexus) -> None:
    refused = nexus.run("db", "roles", "--service", "x; DROP TABLE y")
    assert "not a role's name" in one_line(refused, 2)
