"""`nexus models`: what each model takes, what was learnt of it, and how that is forgotten."""

import json

import pytest

from tests.acceptance.nexus import Inside, Nexus, one_line, query, value

CONFIG = """
[providers.one]
kind = "openai_compatible"
base_url = "http://127.0.0.1:9/v1"
models."capable".takes.samplers = "none"
models."capable".takes.efforts = ["none", "low", "medium", "high"]
models."capable".takes.prefill = false

[[routes]]
models = ["one/capable", "one/future-model-9"]
"""
SAID = "refused by the model (unsupported_parameter)"
LEARNT = """
INSERT INTO nexus.model_quirks
SELECT provider, model, field, effort,
       'refused by the model (unsupported_parameter)', now() - age::interval
FROM (VALUES
    ('one', 'future-model-9', 'temperature', '', '3 hours'),
    ('one', 'future-model-9', 'top_p', 'high', '0'),
    ('one', 'another', 'seed', '', '1 minute'),
    ('one', 'over', 'seed', '', '25 hours'),
    ('not ours', 'm', 'seed', '', '0')
) AS v (provider, model, field, effort, age)
"""
COUNT = "SELECT count(*) FROM nexus.model_quirks"


@pytest.fixture
def learnt(nexus: Nexus, database_url: str) -> str:
    """The URL of a database where something was learnt."""
    nexus.configure(CONFIG, url=database_url)
    query(database_url, LEARNT)
    return database_url


def test_what_each_takes_and_what_was_learnt(nexus: Nexus, inside: Inside, learnt: str) -> None:
    done = inside.run("models")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["one/capable", "none", "none,", "low-high", "prefill"] in lines
    assert ["one/future-model-9", "both", "all", "-"] in lines
    assert max(len(line) for line in done.stdout.splitlines() if "─" in line) <= 80
    told = [line for line in done.stdout.splitlines() if line.startswith("learnt  ")]
    assert len(told) == 3
    assert f"learnt  one/future-model-9 temperature: {SAID}, 3 h ago" in told
    assert any(
        line.startswith(f"learnt  one/future-model-9 top_p at effort high: {SAID}, ")
        for line in told
    )


def test_the_same_for_scripts(nexus: Nexus, inside: Inside, learnt: str) -> None:
    rows = {row["model"]: row for row in inside.json("models")}
    assert list(rows) == ["one/capable", "one/future-model-9", "one/another"]
    capable, new = rows["one/capable"], rows["one/future-model-9"]
    assert (capable["takes"]["samplers"], capable["takes"]["prefill"]) == ("none", False)
    assert (new["takes"]["samplers"], new["context_window"]) == ("both", None)
    assert (capable["learnt"], len(new["learnt"])) == ([], 2)
    oldest = new["learnt"][-1]
    assert oldest["field"] == "temperature"
    assert oldest["reason"] == SAID
    assert 3 * 3600 <= oldest["age_seconds"] < 4 * 3600
    assert [it["effort"] for it in new["learnt"]] == ["high", None]


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (("one/future-model-9", "temperature"), 4),
        (("one/future-model-9",), 3),
        (("not ours/m",), 4),
        (("one/capable",), 5),
        (("--all",), 0),
    ],
)
def test_it_is_forgotten_without_a_service(
    nexus: Nexus, inside: Inside, learnt: str, which: tuple[str, ...], left: int
) -> None:
    done = inside.run("models", "forget", *which)
    told = f"forgotten: {5 - left}\n" if left < 5 else "nothing was learnt of one/capable\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", told)
    assert value(learnt, COUNT) == left


@pytest.mark.parametrize("wrong", [(), ("one",), ("one/",), ("/m",), ("one/m", "--all")])
def test_it_must_be_said_what_is_to_be_forgotten(
    nexus: Nexus, inside: Inside, learnt: str, wrong: tuple[str, ...]
) -> None:
    assert one_line(inside.run("models", "forget", *wrong), 2).startswith("nexus: ")
    assert value(learnt, COUNT) == 5


def test_without_a_database_the_rest_is_shown(
    nexus: Nexus, inside: Inside, database_url: str
) -> None:
    nexus.configure(CONFIG)
    for url in ("", "postgresql://postgres@127.0.0.1:9/none"):
        nexus.configure(CONFIG, url=url)
        done = inside.run("models", "--json")
        assert done.returncode == 0
        assert [row["learnt"] for row in json.loads(done.stdout)] == [None, None]
        assert done.stderr.startswith("nexus: what was learnt of the models is not shown: ")
        assert done.stderr.count("\n") == 1
    assert one_line(inside.run("models", "forget", "--all"), 4)


def test_a_database_that_is_older_than_the_command_is_told(
    nexus: Nexus, inside: Inside, database_url: str
) -> None:
    nexus.configure(CONFIG, url=database_url)
    query(database_url, "DROP TABLE nexus.model_quirks")
    assert "one/capable" in inside.run("models").stdout
    assert "model_quirks" in one_line(inside.run("models", "forget", "--all"), 4)


@pytest.mark.usefixtures("cluster")
def test_an_embedded_database_is_started_to_forget(nexus: Nexus) -> None:
    nexus.configure(CONFIG)
    assert nexus.run("db", "migrate").returncode == 0
    assert nexus.run("models", "forget", "--all").stderr == "nothing was learnt\n"


def test_explain_tells_what_was_refused_and_where_a_cost_comes_from(
    nexus: Nexus, database_url: str
) -> None:
    nexus.configure(CONFIG, url=database_url)
    query(
        database_url,
        "INSERT INTO nexus.requests (request_id, queue, msg_id, read_ct, owner, state, digest,"
        " attempts, spared_attempts, received_at, leased_at, finished_at, cost, cost_basis)"
        " VALUES ('r', 'ai_requests', 1, 1, 'o', 'done', '', 3, 1, now(), now(), now(), 0.2,"
        " 'told')",
    )
    query(
        database_url,
        """
        INSERT INTO nexus.attempts (request_id, number, provider, model, outcome, status_code, cost,
            cost_basis, maybe_paid, spared, dropped, owner, started_at)
        SELECT 'r', number, 'one', 'm', outcome, 200, cost, basis, false, spared, dropped,
            'o', now()
        FROM (VALUES
            (1, 'request_rejected', NULL, NULL, true, '{}'::text[]),
            (2, 'invalid_response', 0.1, 'list', false, '{}'),
            (3, 'ok', 0.2, 'told', false,
             '{"temperature: refused by the model (unsupported_parameter)"}')
        ) AS v (number, outcome, cost, basis, spared, dropped)
        """,
    )
    shown = " ".join(nexus.run("explain", "r").stdout.split())
    assert "cost_basis told" in shown
    assert "$0.2 (told)" in shown
    explained = nexus.json("explain", "r")
    assert explained["request"]["cost_basis"] == "told"
    assert [it["cost_basis"] for it in explained["attempts"]] == [None, "list", "told"]
    wide = nexus.run("explain", "r", environ={"COLUMNS": "250"}).stdout
    assert "does not count: asked again without what was refused" in wide
    assert "not sent as asked: temperature: refused by the model (unsupported_parameter)" in wide
