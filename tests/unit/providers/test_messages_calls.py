"""What of Anthropic's answers is a call, what the provider's own tools did, and streams of other
servers that speak its API."""

from typing import Any

import pytest

from nexus_actors.providers.apis.messages.answer import FINISH
from nexus_actors.providers.http.provider import says_nothing
from nexus_actors.providers.port import ProviderFailure
from tests.unit.providers.test_messages_answer import (
    END,
    START,
    ended,
    good,
    read,
    text_block,
    tool_block,
)


def server_tool(name: Any) -> dict[str, Any]:
    return {"type": "server_tool_use", "id": "srv", "name": name, "input": {}}


def test_what_the_providers_tools_did_is_counted() -> None:
    cases = [
        ({"container": {"id": "c"}}, {"code_execution": 1}),
        ({"container": None}, {}),
        ({"content": [server_tool("bash_code_execution")] * 2}, {"code_execution": 2}),
        (
            {"content": [server_tool("text_editor_code_execution")], "container": {"id": "c"}},
            {"code_execution": 1},
        ),
        ({"content": [server_tool("tool_search_tool_bm25")]}, {"tool_search": 1}),
        ({"content": [server_tool("advisor")]}, {"advisor": 1}),
        ({"content": [server_tool({})]}, {"unknown": 1}),
        # what failed is not paid: the answer's own count goes before that of its blocks
        (
            {
                "content": [server_tool("web_search")] * 2,
                "usage": {"server_tool_use": {"web_search_requests": 0}},
            },
            {},
        ),
        ({"content": [server_tool("web_search")]}, {"web_search": 1}),
    ]
    wrong = [
        (value, counted, found)
        for value, counted in cases
        if (found := good({"content": [], **value}).hosted_calls) != counted
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_what_a_gateway_says_it_cost_is_reported() -> None:
    assert good({"content": [], "usage": {"cost": 0.5}}).reported_cost == 0.5


# -- calls that nobody could make, and ends


def test_an_end_by_calls_that_has_none_is_a_plain_one() -> None:
    reading = good({"content": [{"type": "text", "text": "a"}], "stop_reason": "tool_use"})
    assert (reading.finish_reason, reading.native_finish_reason) == ("stop", "tool_use")


EARLY = ["max_tokens", "model_context_window_exceeded", "refusal"]
USE = {"type": "tool_use", "id": "a", "name": "f", "input": {"a": 1}}


@pytest.mark.parametrize("stop", EARLY)
@pytest.mark.parametrize(
    "odd",
    [{"input": "{"}, {"input": {}}, {"input": None}, {"input": [1]}, {"name": ""}, {"name": 7}],
)
def test_a_broken_call_at_an_early_end_is_reported_and_the_rest_stands(stop: str, odd: Any) -> None:
    said = {"type": "text", "text": "So:"}
    reading = good({"content": [said, USE, {**USE, **odd}], "stop_reason": stop})
    assert (reading.response, len(reading.tool_calls), reading.fault) == ("So:", 1, None)
    [told] = reading.dropped
    assert told.startswith("tool_calls[1]: ")
    assert reading.finish_reason == FINISH[stop]


@pytest.mark.parametrize("stop", EARLY)
def test_a_call_without_arguments_before_an_early_end_is_whole(stop: str) -> None:
    reading = good({"content": [{**USE, "input": {}}, USE], "stop_reason": stop})
    assert (len(reading.tool_calls), reading.dropped) == (2, ())


def test_a_call_of_nothing_is_no_answer() -> None:
    wrong = []
    for name in [None, "", 7, []]:
        for stop in ["tool_use", "end_turn", None]:
            reading = good({"content": [{**USE, "name": name}], "stop_reason": stop})
            if not (reading.tool_calls == () and reading.fault is not None):
                wrong.append((name, stop, reading))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("odd", [None, "", 7, [], {"a": 1}])
def test_every_call_has_an_id_of_its_own(odd: Any) -> None:
    value = {"id": "m", "content": [{**USE, "id": odd}] * 2, "stop_reason": "tool_use"}
    ids = [call["id"] for call in good(value).tool_calls]
    assert all(isinstance(it, str) and it for it in ids)
    assert len(set(ids)) == 2
    assert ids == [call["id"] for call in good(value).tool_calls]
    assert not set(ids) & {call["id"] for call in good({**value, "id": "n"}).tool_calls}


def test_a_paused_turn_stands_and_tells_what_is_left_out() -> None:
    reading = good({"content": [server_tool("web_search")], "stop_reason": "pause_turn"})
    assert (reading.response, reading.finish_reason) == ("", "pause_turn")
    assert [it.partition(":")[0] for it in reading.dropped] == ["response"]
    assert not says_nothing(reading)  # so it is not asked again


# -- streams of other servers


@pytest.mark.parametrize("index", [0, 3, None, "x"])
def test_blocks_that_share_an_index_or_have_none_stay_apart(index: Any) -> None:
    def at(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**it, "index": index} for it in events]

    blocks = [text_block(0, "Hel", "lo."), tool_block(0, '{"a"', ":1}"), tool_block(0, '{"b":2}')]
    texts, reading = read(START, *(it for block in blocks for it in at(block)), *ended("tool_use"))
    assert (texts, reading.response) == (["Hel", "lo."], "Hello.")
    arguments = [call["function"]["arguments"] for call in reading.tool_calls]
    assert arguments == ['{"a":1}', '{"b":2}']


def test_pieces_of_blocks_that_are_open_at_once_go_to_their_own() -> None:
    first, second = tool_block(0, '{"a"', ":1}"), tool_block(1, '{"b"', ":2}")
    mixed = [it for pair in zip(first, second, strict=True) for it in pair]
    _, reading = read(START, *mixed, *ended("tool_use"))
    arguments = [call["function"]["arguments"] for call in reading.tool_calls]
    assert arguments == ['{"a":1}', '{"b":2}']


def test_an_error_after_the_end_takes_nothing_back() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    whole = [START, *text_block(0, "Hello."), *END]
    assert read(*whole, error) == read(*whole) == read(*whole[:-1], error)
    assert isinstance(read(*whole[:-2], error, *END)[1], ProviderFailure)


def test_an_id_that_stands_twice_is_the_first_calls() -> None:
    first, second = good({"id": "m", "content": [USE, USE], "stop_reason": "tool_use"}).tool_calls
    assert (first["id"], second["function"]) == ("a", first["function"])
    assert second["id"] not in ("", "a")
