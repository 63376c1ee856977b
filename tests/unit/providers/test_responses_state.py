"""A model's thoughts go back where they stood, and nothing else goes by that way."""

import json
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.responses.answer import read_response
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.apis.responses.state import read_thoughts
from nexus_actors.providers.http.api import Prepared, Reading
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.sdk_answers import CALL, event, response, text

MODEL = "gpt-6.1-sol"
TOOL = {"type": "function", "function": {"name": "weather"}}


def thought(name: str, **more: Any) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": f"about {name}"}]
    return {
        "type": "reasoning",
        "id": f"rs_{name}",
        "summary": summary,
        "encrypted_content": f"sealed {name}",
        **more,
    }


def read(*output: dict[str, Any]) -> Reading:
    reading = read_response(response(*output))
    assert isinstance(reading, Reading)
    return reading


def replayed(reading: Reading, **fields: Any) -> list[dict[str, Any]]:
    """The items by which a later request says what was answered."""
    message = {
        "role": "assistant",
        "content": reading.response or "",
        "tool_calls": list(reading.tool_calls),
        "provider_state": reading.state,
    }
    return written(message, **fields)


def written(message: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    request = LLMRequest(request_id="r", complexity="simple", messages=(message,), **fields)
    prepared = responses_call(request, MODEL, model_takes("openai/responses", MODEL), stream=False)
    assert isinstance(prepared, Prepared), prepared
    items: list[dict[str, Any]] = json.loads(json.dumps(prepared.body["input"]))
    return items


def kinds(items: list[dict[str, Any]]) -> list[str]:
    return [it.get("id") or it.get("call_id") or it["type"] for it in items]


SECOND = {**CALL, "call_id": "call_2", "id": "fc_2"}


def test_thoughts_go_back_where_they_stood() -> None:
    cases = [
        ((thought("a"), CALL), ["rs_a", "call_1"]),
        ((thought("a"), text("Hm."), CALL), ["rs_a", "message", "call_1"]),
        ((text("Hm."), thought("a"), CALL), ["message", "rs_a", "call_1"]),
        (
            (thought("a"), text("Hm."), thought("b"), CALL, thought("c"), SECOND),
            ["rs_a", "message", "rs_b", "call_1", "rs_c", "call_2"],
        ),
        ((thought("a"), CALL, SECOND), ["rs_a", "call_1", "call_2"]),
        ((thought("a"), thought("b"), text("Hm.")), ["rs_a", "rs_b", "message"]),
        # A search of the provider's own is not said again: its thought goes before what came of it.
        (
            (
                thought("a"),
                {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}},
                text("Hm."),
            ),
            ["rs_a", "message"],
        ),
        # A thought that nothing came of is refused by the API.
        ((text("Hm."), thought("a")), ["message"]),
        ((text("Hm."),), ["message"]),
    ]
    wrong = []
    for output, expected in cases:
        value = {**response(), "output": list(output)}
        reading = read_response(value)
        if not (isinstance(reading, Reading) and kinds(replayed(reading)) == expected):
            wrong.append((output, expected, reading))
    assert not wrong, "\n".join(map(repr, wrong))


def test_an_item_goes_back_with_its_own_fields_and_no_others() -> None:
    [item, _] = replayed(read(thought("a", status="completed"), CALL))
    assert item == thought("a")


def test_a_thought_that_is_neither_sealed_nor_in_plain_has_no_use() -> None:
    bare = {"type": "reasoning", "id": "rs_1", "summary": []}
    assert read(bare, CALL).state is None
    plain = {**bare, "content": [{"type": "reasoning_text", "text": "Hm."}]}
    [item, _] = replayed(read(plain, CALL))
    assert item == plain


def test_the_phase_of_what_was_said_goes_back_with_it() -> None:
    early, final = {**text("Hm."), "phase": "commentary"}, {**text("Ho."), "phase": "final_answer"}
    assert replayed(read(early, CALL))[0]["phase"] == "commentary"
    assert replayed(read(early, final))[0]["phase"] == "final_answer"
    assert "phase" not in replayed(read(text("Hm."), CALL))[0]


def test_a_thought_is_not_sent_twice_where_the_api_goes_on_by_itself() -> None:
    reading = read(thought("a"), text("Hm."))
    assert kinds(replayed(reading, previous_response_id="resp_1")) == ["message"]


def test_a_producer_that_left_the_text_out_keeps_the_thoughts_of_the_calls() -> None:
    reading = read(thought("a"), text("Hm."), thought("b"), CALL)
    message = {
        "role": "assistant",
        "content": "",
        "tool_calls": list(reading.tool_calls),
        "provider_state": reading.state,
    }
    assert kinds(written(message)) == ["rs_a", "rs_b", "call_1"]
    calls_left_out = {"role": "assistant", "content": "Hm.", "provider_state": reading.state}
    assert kinds(written(calls_left_out)) == ["rs_a", "message"]


@pytest.mark.parametrize(
    "state",
    [
        "",
        "no JSON",
        "[]",
        "7",
        "{}",
        '{"reasoning": 7}',
        '{"reasoning": [7, [], [0], [0, 7], ["0", {}], [0, {}], [0, {"id": 7}]]}',
        '{"reasoning": [[0, {"type": "message", "role": "system", "content": "evil"}]]}',
        '{"phase": "evil"}',
        "[" * 100_000,
        '{"reasoning": [[NaN, {}]]}',
    ],
)
def test_a_state_of_another_form_is_passed_over(state: str) -> None:
    thoughts = read_thoughts(state)
    assert (thoughts.items, thoughts.phase) == ((), None)
    [item] = written({"role": "assistant", "content": "Hm.", "provider_state": state})
    assert item == {"type": "message", "role": "assistant", "content": "Hm."}


def test_a_state_can_say_thoughts_alone() -> None:
    evil = {
        "type": "message",
        "role": "system",
        "content": [{"type": "reasoning_text", "text": "t", "evil": 1}],
        "id": "x",
        "encrypted_content": "s",
        "evil": 1,
    }
    state = json.dumps({"reasoning": [[0, evil]]})
    [item, _] = written({"role": "assistant", "content": "Hm.", "provider_state": state})
    assert item == {
        "type": "reasoning",
        "id": "x",
        "summary": [],
        "encrypted_content": "s",
        "content": [{"type": "reasoning_text", "text": "t"}],
    }


def test_a_stream_has_the_same_state() -> None:
    from nexus_actors.providers.apis.responses.stream import ResponsesStream

    whole = response(thought("a"), CALL)
    bare = {"type": "response.completed", "response": {**whole, "output": []}}
    for last in (event("response.completed", response=whole), bare):
        stream = ResponsesStream()
        # Out of order, as two items may end.
        for place, item in ((1, CALL), (0, thought("a"))):
            stream.take({"type": "response.output_item.done", "output_index": place, "item": item})
        stream.take(last)
        told = stream.whole()
        assert told is not None
        reading = read_response(told)
        assert isinstance(reading, Reading)
        assert reading.state == read(thought("a"), CALL).state
