"""Each action that pages offer: what its form makes of what is sent, and its other forms."""

import shlex
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from nexus_actors.cli.app import app
from nexus_actors.dashboard.action_forms import ACTION_FORMS
from nexus_actors.dashboard.forms import FormError, checked
from nexus_actors.monitoring.actions import Action
from tests.unit.dashboard.asgi import FakeReader, Site

BY = "joe via dashboard"
FULL: Mapping[str, Mapping[str, str]] = {
    "pause": {"subject": "model", "name": "-gpt*", "until": "2h", "why": "-x y", "fallback": "1"},
    "resume": {"subject": "provider", "name": "echo", "node": "host"},
    "scale": {"provider": "echo", "calls": "8", "until": "2h", "why": "busy", "node": "host"},
    "unscale": {"provider": "echo", "why": "enough", "node": "host"},
    "drain": {"node": "host", "until": "2h", "why": "new kernel"},
    "log-level": {"level": "debug", "until": "15m", "why": "look", "node": "host"},
    "cancel": {"id": "a\u202eb", "why": "sent twice"},
    "cancel-where": {"agent": "crawler", "provider": "echo", "minutes": "5", "state": "queued"},
    "restart": {"node": "host", "actor": "echo.Worker.3", "now": "1", "why": "stuck"},
    "stop": {"node": "host", "actor": "echo.Worker.3", "why": "stuck"},
    "start": {"node": "host", "actor": "echo.Worker.3", "why": "again"},
    "reload": {"node": "host", "why": "keys"},
}
LEAST: Mapping[str, Mapping[str, str]] = {
    "pause": {"subject": "queue", "name": "q"},
    "resume": {"subject": "queue", "name": "q"},
    "scale": {"provider": "echo", "calls": "1"},
    "unscale": {"provider": "echo"},
    "drain": {"node": "host"},
    "log-level": {},
    "cancel": {"id": "x"},
    "cancel-where": {"state": "any"},
    "restart": {"node": "host", "actor": "a"},
    "stop": {"node": "host", "actor": "a"},
    "start": {"node": "host", "actor": "a"},
    "reload": {"node": "host"},
}
BOTH = [(name, given) for table in (FULL, LEAST) for name, given in table.items()]
OURS = [name for name in ACTION_FORMS if name in FULL]
"""The others are tested beside their pages."""


def made(name: str, given: Mapping[str, str]) -> Action:
    form = ACTION_FORMS[name]
    return form.make(checked(form, given))


def test_each_form_makes_an_action_that_asks_a_question() -> None:
    assert len(BOTH) > 20
    wrong = []
    for name, given in BOTH:
        action = made(name, given)
        if not (
            "?" in action.question
            and action.question.isprintable()
            and action.sql.removeprefix("BEGIN;\n").startswith("SELECT nexus.")
            and action.sql.removesuffix("\nCOMMIT;").endswith(");")
        ):
            wrong.append((name, given, action))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(("name", "given"), BOTH, ids=str)
def test_each_action_is_a_command_that_there_is(name: str, given: Mapping[str, str]) -> None:
    words = shlex.split(made(name, given).cli)
    assert words[0] == "nexus"
    app.parse_args(words[1:], print_error=False, exit_on_error=False)


@pytest.mark.parametrize("name", OURS)
async def test_each_action_is_done_in_somebodys_name(name: str) -> None:
    reader = FakeReader()
    row: dict[str, Any] = {"count": 1, "found": "queued", "cancelled": 3, "number": 7}
    action = made(name, FULL[name])
    for statement in ("resume", "cancel", "cancel_where", "order"):
        reader.rows[f"act_{statement}"] = [row]
    done = await action.carry_out(reader, BY)
    assert done.endswith(".")
    assert done.isprintable()
    [(_, arguments)] = reader.asked
    assert arguments[-1] == BY


@pytest.mark.parametrize("name", OURS)
def test_each_field_is_looked_at(name: str) -> None:
    """A value too long for the database is refused before it is asked."""
    form = ACTION_FORMS[name]
    for field in form.fields:
        if field.kind == "tick":
            continue
        with pytest.raises(FormError, match=field.label):
            checked(form, {**FULL[name], field.name: "x" * 2_000})


@pytest.mark.parametrize("calls", ["0", "-1", "1.5", "x", "²"])
def test_a_number_is_one_in_its_bounds(calls: str) -> None:
    with pytest.raises(
        FormError, match="Concurrent calls: expected a whole number from 1 to 9,999"
    ):
        made("scale", {"provider": "echo", "calls": calls})


async def test_how_many_are_meant_is_said_before() -> None:
    reader = FakeReader()
    reader.rows["cancellable"] = [{"requests": 1234, "running": 2}]
    told = await made("cancel-where", FULL["cancel-where"]).preview(reader)
    assert told.startswith("1,234 requests match now, 2 of them in work")
    assert reader.arguments("cancellable")[0][2] == timedelta(minutes=5)
    reader.rows["cancellable"] = [{"requests": 0, "running": 0}]
    assert await made("cancel-where", LEAST["cancel-where"]).preview(reader) == (
        "0 requests match now of those leased before; those never leased are not counted."
    )


def a_node(node: str, name: str, state: str = "ready") -> dict[str, Any]:
    return {
        "node": node,
        "name": name,
        "host": name,
        "version": "1",
        "pid": 1,
        "queue": "q",
        "state": state,
        "why": None,
        "beat_age": 1.0,
    }


@pytest.mark.parametrize(
    ("others", "warns"),
    [
        ([], True),
        ([a_node("2", "b", "drained"), a_node("3", "c", "lost")], True),
        ([a_node("2", "b")], False),
    ],
    ids=str,
)
async def test_to_drain_the_last_node_that_takes_requests_is_warned_of(
    others: list[dict[str, Any]], warns: bool
) -> None:
    reader = FakeReader()
    reader.rows["nodes"] = [a_node("1", "host"), *others]
    assert bool(await made("drain", LEAST["drain"]).preview(reader)) == warns


async def test_the_form_of_a_resize_begins_with_what_is_and_asks_not_whose() -> None:
    site = Site(loopback="operate")
    node = "eb67a7e3-0000-4000-8000-000000000000"
    site.reader.rows["nodes"] = [a_node(node, "nexus@vm")]
    row = {"node": node, "name": "nexus@vm", "provider": "echo", "calls": "8"}
    site.reader.rows["control_concurrency"] = [row]
    html = (await site.ask(f"/act/scale?provider=echo&node={node}")).text
    assert '<input name="calls" value="8"' in html
    assert '<input type="hidden" name="provider" value="echo">' in html
    assert "Concurrent calls now: 8 on nexus@vm (eb67a7e3)." in html
    assert "Let the node nexus@vm (eb67a7e3) make 8 calls" in html
    empty = checked(ACTION_FORMS["unscale"], {"provider": "echo"})
    assert "the config says" in ACTION_FORMS["unscale"].make(empty).question
    with pytest.raises(FormError, match="expected a value"):
        checked(ACTION_FORMS["scale"], {"provider": "echo"})
