"""Tools, the choice among them, and the arguments of their calls, by what the model takes."""

import math
from typing import Any

import pytest

from nexus_actors.providers.apis.chat.dialect import Dialect
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes, model_takes
from tests.unit.providers.chat_by_takes import call, dropped_names, outcome, rest
from tests.unit.providers.conversations import CALLED, NESTED

DEEPSEEK = Dialect(thinking=True)


NAMED = {"type": "function", "function": {"name": "weather"}}


def test_a_choice_of_tools_goes_in_its_nearest_form() -> None:
    cases = [
        (Takes(), "auto", "auto", []),
        (Takes(), "required", "required", []),
        (Takes(), NAMED, NAMED, []),
        (Takes(), {"type": "function", "name": "weather"}, NAMED, []),
        (Takes(forced_tool_choice=False), "auto", "auto", []),
        (Takes(forced_tool_choice=False), "none", "none", []),
        (Takes(forced_tool_choice=False), "required", "auto", ["tool_choice"]),
        (Takes(forced_tool_choice=False), NAMED, "auto", ["tool_choice"]),
        (Takes(tool_choice=False), "auto", None, []),
        (Takes(tool_choice=False), "required", None, ["tool_choice"]),
        (Takes(tool_choice=False), NAMED, None, ["tool_choice"]),
    ]
    wrong = []
    for takes, choice, sent, dropped in cases:
        prepared = call(takes, tools=(NESTED,), tool_choice=choice)
        found = (
            (prepared.body.get("tool_choice"), dropped_names(prepared)),
            prepared.body["tools"],
        )
        if found != ((sent, dropped), [NESTED]):
            wrong.append((takes, choice, sent, dropped, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("written", [NESTED, {"type": "function", **NESTED["function"]}])
def test_strictness_that_a_server_refuses_is_left_out_and_reported(written: dict[str, Any]) -> None:
    prepared = call(model_takes("xai", "grok-4.7"), tools=(written,))
    assert prepared.body["tools"][0]["function"].keys() == {"name", "description", "parameters"}
    assert dropped_names(prepared) == ["tools[0].strict"]
    assert call(Takes(), tools=(written,)).body["tools"] == [NESTED]


def test_no_tool_at_all_is_sent_where_none_can_be_forbidden() -> None:
    prepared = call(
        Takes(tool_choice=False), tools=(NESTED,), tool_choice="none", parallel_tool_calls=True
    )
    assert rest(prepared) == {}
    assert dropped_names(prepared) == ["tools", "parallel_tool_calls"]


@pytest.mark.parametrize(
    ("fields", "switched", "dropped"),
    [
        ({"tool_choice": "required"}, True, ["reasoning_effort"]),
        ({"tool_choice": NAMED, "reasoning_effort": "high"}, True, ["reasoning_effort"]),
        ({"tool_choice": NAMED, "reasoning_effort": "none"}, True, []),
        ({"tool_choice": "auto"}, False, []),
        ({"tool_choice": "none"}, False, []),
    ],
)
def test_thinking_gives_way_to_a_forced_choice(
    fields: dict[str, Any], switched: bool, dropped: list[str]
) -> None:
    """As the choice is part of the question, and thinking is not."""
    takes = model_takes("deepseek", "deepseek-v4-pro")
    prepared = call(takes, DEEPSEEK, tools=(NESTED,), **fields)
    assert (prepared.body.get("thinking") == {"type": "disabled"}) == switched
    assert prepared.body["tool_choice"] == fields["tool_choice"]
    assert dropped_names(prepared) == dropped


def test_whether_calls_come_together_is_reported_where_it_cannot_be_said() -> None:
    prepared = call(Takes(parallel_tool_calls=False), tools=(NESTED,), parallel_tool_calls=False)
    assert rest(prepared) == {"tools": [NESTED]}
    assert prepared.dropped == ("parallel_tool_calls",)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_arguments_that_json_cannot_carry_are_refused(number: float) -> None:
    function = {"name": "weather", "arguments": {"x": number}}
    said = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }
    failure = outcome(Takes(), messages=(CALLED[0], said, CALLED[2]))
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.scope) == ("request_rejected", "request")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{"city": "Oslo"}', '{"city": "Oslo"}'),
        ({"city": "Oslo"}, '{"city": "Oslo"}'),
        ("", "{}"),
        ("  ", "{}"),
        (None, "{}"),
        ({}, "{}"),
        ({"city": "Tromsø"}, '{"city": "Tromsø"}'),
    ],
)
def test_arguments_go_as_json_text(given: Any, sent: str) -> None:
    called = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": given},
    }
    said = {"role": "assistant", "content": "", "tool_calls": [called]}
    body = call(Takes(), messages=(CALLED[0], said, CALLED[2])).body
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == sent


@pytest.mark.parametrize("own", [{"name": "f"}, {"name": "f", "strict": True}])
@pytest.mark.parametrize("nested", [True, False])
def test_null_is_nothing_in_a_tool(own: dict[str, Any], nested: bool) -> None:
    function = {**own, "description": None, "parameters": None}
    tool = {"function": function, "type": "function"} if nested else function
    assert call(Takes(), tools=(tool,)).body["tools"] == [{"type": "function", "function": own}]
