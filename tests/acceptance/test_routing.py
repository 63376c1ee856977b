"""Where a request would go, where one went, and what can be reached at all."""

import json

from tests.acceptance.nexus import Inside, Nexus, one_line, query

CONFIG = """
[providers.one]
kind = "echo"
models.small = { context_window = 100, input_price = 1.0, output_price = 2.0 }

[providers.two]
kind = "echo"

[providers.locked]
kind = "openai_compatible"
preset = "groq"
api_key_env = "NO_SUCH_KEY"

[[routes]]
models = ["one/small", "locked/big", "two/other"]

[requests]
max_tools = 1
"""
REQUEST = {
    "request_id": "r",
    "complexity": "simple",
    "messages": [{"role": "user", "content": "word " * 40}],
}


def test_where_a_request_would_go(nexus: Nexus, inside: Inside) -> None:
    nexus.configure(CONFIG)
    done = inside.run("route", "-", stdin=json.dumps(REQUEST))
    assert done.returncode == 0
    assert "routes[0]: complexity *" in done.stdout
    assert "about 57 of input" in done.stdout
    assert "one/small" in done.stdout
    assert "NO_SUCH_KEY is not set" in done.stdout

    done = inside.run(
        *("route", "-", "--json"),
        stdin=json.dumps({**REQUEST, "max_tokens": 1000, "stream": True, "temprature": 1}),
    )
    explained = json.loads(done.stdout)
    assert explained["dropped"] == ["temprature"]
    assert [row["model"] for row in explained["candidates"]] == ["two/other"]
    assert [row["model"] for row in explained["skipped"]] == ["locked/big", "one/small"]
    assert "window of 100" in explained["skipped"][1]["why"]

    (nexus.folder / "request.json").write_text(json.dumps({**REQUEST, "model": "one/small"}))
    explained = inside.json("route", "request.json")
    assert explained["candidates"][0]["expected_cost"] == (57 * 1.0 + 500 * 2.0) / 1e6
    assert explained["route"].startswith("none")


def test_a_request_that_would_fail_says_so(nexus: Nexus, inside: Inside) -> None:
    nexus.configure(CONFIG)
    too_long = json.dumps({**REQUEST, "model": "one/small", "max_tokens": 1000})
    done = inside.run("route", "-", stdin=too_long)
    assert done.returncode == 1
    assert "context_too_long" in done.stderr
    wrong = inside.run("route", "-", stdin=json.dumps({**REQUEST, "tools": [{"type": "a"}] * 2}))
    assert one_line(wrong, 1).startswith("nexus: invalid_request: tools: expected at most 1 tools")
    wrong = inside.run("route", "-", stdin='{"request_id": "r"}')
    assert one_line(wrong, 1).startswith("nexus: missing_fields")
    assert one_line(inside.run("route", "nowhere.json"), 2).startswith("nexus: cannot read")


def test_what_can_be_reached(nexus: Nexus, inside: Inside) -> None:
    nexus.configure(CONFIG)
    assert [row["model"] for row in inside.json("models")] == ["one/small", "two/other"]
    listed = inside.run("models").stdout
    assert "$1.00" in listed
    assert "$2.00" in listed


def test_what_became_of_a_request(nexus: Nexus, inside: Inside, database_url: str) -> None:
    nexus.configure(url=database_url)
    service = nexus.start()
    service.wait_ready()
    answer = inside.json("ask", "how are you?")
    explained = inside.json("explain", answer["request_id"])
    assert explained["request"]["state"] == "done"
    assert [step["name"] for step in explained["steps"]][:2] == ["validate", "route_llm"]
    assert explained["steps"][1]["detail"]["candidates"] == ["echo/echo"]
    assert [attempt["outcome"] for attempt in explained["attempts"]] == ["ok"]
    shown = inside.run("explain", answer["request_id"]).stdout
    assert "echo/echo" in shown
    assert "      1. echo/echo: $0.000000\n" in shown
    unknown = one_line(inside.run("explain", "nobody"), 5)
    assert unknown.startswith("nexus: the journal has no request nobody")


def test_why_models_were_passed_over_stands_in_the_journal(
    nexus: Nexus, inside: Inside, database_url: str
) -> None:
    nexus.configure(CONFIG, url=database_url)
    nexus.start().wait_ready()
    answer = inside.json("ask", "word " * 400)
    assert (answer["provider"], answer["model"]) == ("two", "other")
    lines = inside.run("explain", answer["request_id"]).stdout.splitlines()
    (routed,) = [line for line in lines if line.startswith("step  route_llm: ok  route routes[")]
    assert routed.endswith("complexity *, task_type *, pick ordered")
    assert "      1. two/other: $0.000000" in lines
    explained = inside.json("explain", answer["request_id"])
    assert explained["candidates"] == [{"model": "two/other", "cost": 0.0}]
    assert "      not locked/big: NO_SUCH_KEY is not set" in lines
    assert any(line.startswith("      not one/small: about 507 tokens") for line in lines)


def test_what_is_left_of_the_budgets(nexus: Nexus, inside: Inside, database_url: str) -> None:
    nexus.configure(
        CONFIG
        + """
[budgets.small]
dollars = 0.01
agent = "nightly-*"

[budgets.all]
dollars = 100
per = "month"
""",
        url=database_url,
    )
    nexus.start().wait_ready()
    query(
        database_url,
        "INSERT INTO nexus.spending"
        " VALUES ('all', date_trunc('month', now() AT TIME ZONE 'UTC'), 1.5, 40)",
    )
    query(
        database_url,
        "INSERT INTO nexus.spending"
        " VALUES ('small', date_trunc('day', now() AT TIME ZONE 'UTC'), 0, 0.0001)",
    )
    shown = inside.run("budgets").stdout
    assert "$0.0001 " in shown
    assert "$0.0099 " in shown
    query(database_url, "DELETE FROM nexus.spending WHERE budget = 'small'")
    small, everything = inside.json("budgets")
    assert (small["budget"], small["agent"], small["spent"], small["left"]) == (
        "small",
        "nightly-*",
        0.0,
        0.01,
    )
    assert (everything["spent"], everything["reserved"], everything["left"]) == (40, 1.5, 58.5)
    shown = inside.run("budgets").stdout
    assert "agent nightly-*" in shown
    assert "$100 a month" in shown


MUTE = """
[providers.one]
kind = "echo"
models.mute = { takes = { stop = false } }

[providers.two]
kind = "echo"

[[routes]]
complexity = "simple"
models = ["one/mute", "two/other"]

[[routes]]
models = ["one/mute"]
"""


def test_a_model_that_cannot_honour_a_request_is_passed_over_and_said_to_be(
    nexus: Nexus, inside: Inside
) -> None:
    nexus.configure(MUTE)
    shown = inside.json("config", "show")
    assert shown["providers"]["one"]["models"]["mute"]["takes"] == {"stop": False}
    asked = {**REQUEST, "stop": ["END"]}
    done = inside.run("route", "-", stdin=json.dumps(asked))
    assert done.returncode == 0
    assert "it takes no stop sequences" in done.stdout
    explained = json.loads(inside.run("route", "-", "--json", stdin=json.dumps(asked)).stdout)
    assert [row["model"] for row in explained["candidates"]] == ["two/other"]
    alone = json.dumps({**asked, "complexity": "complex"})
    (row,) = json.loads(inside.run("route", "-", "--json", stdin=alone).stdout)["candidates"]
    assert (row["model"], row["unhonoured"]) == ("one/mute", "it takes no stop sequences")
    assert "the nearest form only" in inside.run("route", "-", stdin=alone).stdout
