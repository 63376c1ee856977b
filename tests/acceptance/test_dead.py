"""Dead letters as an operator meets them."""

import getpass
import json
import re

from nexus_actors.cli import exit_codes
from tests.acceptance.nexus import Inside, Nexus, one_line, query, value, wait_for

CONFIG = """
[queue]
max_attempts = 1

[providers.broken]
kind = "echo"
failure_rate = 1.0

[providers.sound]
kind = "echo"

[[routes]]
models = ["{provider}/model"]
"""
LONG = "x" * 79_900
MESSAGES = [{"role": "user", "content": "hello"}]


def test_dead_letters_are_listed_sent_again_and_deleted(
    nexus: Nexus, inside: Inside, database_url: str
) -> None:
    nexus.configure(CONFIG.format(provider="broken"), url=database_url)
    service = nexus.start()
    service.wait_ready()
    good = {"complexity": "simple", "messages": MESSAGES}
    lines = [
        {**good, "request_id": "first"},
        {"request": {**good, "request_id": "wrapped"}},
        {"request_id": "wrong", "complexity": "simple", "messages": [], "trace": LONG},
        ["no id"],
    ]
    for line in lines:
        query(database_url, "SELECT pgmq.send('ai_requests', $1::jsonb)", json.dumps(line))
    dead = "SELECT count(*) FROM pgmq.q_ai_requests_dead"
    wait_for(lambda: value(database_url, dead) == 4, "dead letters")

    letters = {letter["request_id"]: letter for letter in inside.json("dead", "list")}
    assert letters["first"]["reason"] == "provider_error"
    assert letters["first"]["provider"] == "broken"
    assert letters["wrong"]["path"] == "messages"
    assert [
        it["request_id"] for it in inside.json("dead", "list", "--reason", "empty_messages")
    ] == ["wrong"]
    assert inside.json("dead", "list", "--older-than", "1h") == []
    assert "provider_error" in inside.run("dead", "list").stdout
    shown = json.loads(inside.run("dead", "show", str(letters["first"]["number"])).stdout)
    assert shown["request"]["messages"] == MESSAGES
    assert inside.run("dead", "list").stdout.count("messages: expected at least one message") == 1
    explained = inside.run("explain", "wrong").stdout
    assert "validate: empty_messages  path messages\n" in explained
    assert "      messages: expected at least one message\n" in explained
    number = str(letters["wrong"]["number"])
    begun = json.loads(inside.run("dead", "show", number).stdout)
    assert begun["reason"] == "empty_messages"
    assert begun["request"].startswith('{"trace": "x')
    assert re.fullmatch(r".{65536}… 14,4\d\d bytes more \(--all\)", begun["request"])
    for whole in ("--all", "--json"):
        shown = json.loads(inside.run("dead", "show", number, whole).stdout)
        assert shown["request"]["trace"] == LONG
    for unknown in (("show", "404"), ("edit", "404", "--request", "-")):
        done = inside.run("dead", *unknown, stdin="{}")
        assert done.returncode == exit_codes.TIMED_OUT
        assert done.stderr == "nexus: there is no dead letter 404\n"

    nexus.configure(CONFIG.format(provider="sound"), url=database_url)
    service.process.terminate()
    assert service.wait() == 0
    nexus.start().wait_ready()
    sent = inside.json("dead", "retry", "--provider", "broken", "--yes")
    new = {row["request_id"]: row["new_id"] for row in sent}
    assert set(new) == {"first", "wrapped"}
    assert {row["reason"] for row in sent} == {"provider_error"}
    assert all(re.fullmatch(f"{name}~[0-9a-f]{{32}}", it) for name, it in new.items())
    wait_for(
        lambda: (
            value(database_url, "SELECT count(*) FROM nexus.requests WHERE state = 'done'") == 2
        ),
        "answers",
    )
    rows = query(
        database_url, "SELECT request_id, retry_of FROM nexus.requests WHERE retry_of > ''"
    )
    assert {row["retry_of"]: row["request_id"] for row in rows} == new
    assert "retry_of" in inside.run("explain", new["first"]).stdout
    assert re.search(f"retried as +{new['first']}\n", inside.run("explain", "first").stdout)
    assert inside.json("explain", "first")["retries"] == [new["first"]]

    assert "which?" in one_line(inside.run("dead", "purge"), 2)
    for act in ("list", "retry", "purge"):
        assert "did you mean timeout?" in one_line(
            inside.run("dead", act, "--reason", "timeuot"), 2
        )
    gone = str(letters["first"]["number"])
    without_id = letters[None]["number"]
    for act in ("retry", "purge"):
        told = one_line(inside.run("dead", act, gone), exit_codes.TIMED_OUT)
        assert told.startswith(f"nexus: dead letter {gone} is not ")
        assert told.endswith(": there is no such letter")
        done = inside.run("dead", act, gone, "404", "--reason", "timeout")
        assert done.returncode == exit_codes.TIMED_OUT
        assert done.stderr.count("there is no such letter of that kind") == 2
        assert inside.run("dead", act, gone, "--reason", "timeuot").returncode == 2
    some = inside.run("dead", "retry", "404", gone, str(without_id))
    assert some.returncode == 1
    assert "sent again: 0 of 3\nnot sent: 1, each for the reason above; " in some.stderr
    for number in ("404", gone):
        assert f"dead letter {number} is not sent: there is no such letter\n" in some.stderr
    assert str(without_id) in one_line(inside.run("dead", "retry", str(without_id)), 1)
    some = inside.run("dead", "purge", "404", str(without_id))
    assert some.returncode == 1
    told = "nexus: dead letter 404 is not deleted: there is no such letter\ndeleted: 1\n"
    assert some.stderr == told
    it_asks_before_it_acts_on_all(inside)
    assert "deleted: 1" in inside.run("dead", "purge", "--all", "--yes").stderr
    assert inside.json("dead", "list") == []
    assert inside.run("dead", "list").stdout == "there are no dead letters\n"
    assert "expected 90s" in one_line(inside.run("dead", "list", "--older-than", "soon"), 2)
    acts = [(it["action"], it["subject"], it["detail"]) for it in inside.json("audit")]
    first = {"letters": [letters["first"]["number"]], "request_id": "first", "new_id": new["first"]}
    assert ("retry", f"letter {letters['first']['number']}", first) in acts
    for number in (without_id, letters["wrong"]["number"]):
        assert ("purge", f"letter {number}", {"letters": [number], "deleted": 1}) in acts
    by = {it["by"].split("@")[0] for it in inside.json("audit")}
    assert by == {getpass.getuser()}


def it_asks_before_it_acts_on_all(inside: Inside) -> None:
    """Without a terminal it says how many are meant, and which option acts on them."""
    for act, said in (("retry", "sends their requests again"), ("purge", "deletes them for good")):
        for which in (("--all",), ("--reason", "empty_messages")):
            told = one_line(inside.run("dead", act, *which), exit_codes.USAGE)
            assert told.startswith("nexus: 1 dead letters match")
            assert told.endswith(f"; --yes {said}")
    assert len(inside.json("dead", "list")) == 1
