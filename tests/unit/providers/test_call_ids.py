"""Ids of calls as each target takes them: one in a call and its result, and never two alike."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.call_ids import (
    ANTHROPIC,
    MISTRAL,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    CallIds,
    Use,
)
from nexus_actors.providers.apis.chat.dialect import Dialect
from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.apis.responses.items import input_items
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import Takes, model_takes

ODD = (
    "",
    "call_1",
    "toolu_01A09q90qw90lq917835lq9",
    "functions.weather:0",
    "x" * 41,
    "x" * 65,
    "y" * 500,
    "a b",
    "a-b",
    "a_b",
    "ä",
    "\ud800",
    "D681PevKs",
    "call_1 ",
)
"""Such as others' servers make them, and such as nobody should."""
TARGETS = {
    "anthropic": (ANTHROPIC, r"[a-zA-Z0-9_-]{1,64}"),
    "mistral": (MISTRAL, r"[a-zA-Z0-9]{9}"),
    "openai chat": (OPENAI_CHAT, r".{1,40}"),
    "openai responses": (OPENAI_RESPONSES, r".{1,64}"),
}


def rewritten(ids: CallIds, originals: Iterable[str]) -> dict[str, str]:
    """Each id, called once, as it is sent."""
    once = tuple(originals)
    sent = ids.rewritten(Use(str(place), it, place) for place, it in enumerate(once))
    return {it: sent[str(place)] for place, it in enumerate(once)}


@pytest.mark.parametrize("target", TARGETS)
def test_every_id_fits_stays_itself_and_is_one_of_a_kind(target: str) -> None:
    ids, pattern = TARGETS[target]
    sent = rewritten(ids, ODD)
    assert all(re.fullmatch(pattern, it, re.DOTALL) for it in sent.values())
    assert len(set(sent.values())) == len(set(ODD))
    assert rewritten(ids, reversed(ODD)) == sent
    again = rewritten(ids, [*ODD, *ODD])
    assert not set(again.values()) & set(sent.values())


@pytest.mark.parametrize("target", TARGETS)
def test_an_id_that_fits_is_left_alone(target: str) -> None:
    ids, _ = TARGETS[target]
    assert rewritten(ids, ["D681PevKs"]) == {"D681PevKs": "D681PevKs"}


def test_a_made_id_that_is_taken_already_is_made_anew() -> None:
    tiny = CallIds(re.compile("[a-zA-Z0-9]"), 1)
    many = [f"too-long-{number}" for number in range(40)] + ["a", "b", "C"]
    sent = rewritten(tiny, many)
    assert len(set(sent.values())) == len(many)
    assert (sent["a"], sent["b"], sent["C"]) == ("a", "b", "C")


def called(*ids: Any, name: str = "f") -> dict[str, Any]:
    """A turn of calls; an id of None is left out."""
    function = {"name": name, "arguments": "{}"}
    calls = [
        {"type": "function", "function": function} | ({} if it is None else {"id": it})
        for it in ids
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def result(call_id: Any) -> dict[str, Any]:
    given = {} if call_id is None else {"tool_call_id": call_id}
    return {"role": "tool", "content": "done", "name": "f", **given}


USER = {"role": "user", "content": "go"}
CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], list[int]]] = {
    "numbered per answer": (
        [USER, *(it for _ in range(3) for it in (called("call_0"), result("call_0")))],
        [0, 0, 1, 1, 2, 2],
    ),
    "numbered per answer, several": (
        [
            *(USER, called("a", "b"), result("b"), result("a")),
            *(called("b", "a"), result("b"), result("a")),
        ],
        [0, 1, 1, 0, 2, 3, 2, 3],
    ),
    "at once under one id": (
        [USER, called("a", "a"), result("a"), result("a"), called("a"), result("a")],
        [0, 1, 0, 1, 2, 2],
    ),
    "in turns that nothing parts": (
        [USER, called("a"), called("a"), result("a"), result("a")],
        [0, 1, 0, 1],
    ),
    "without an id": (
        [USER, called(None), result(None), called(None, None), result(None), result("")],
        [0, 0, 1, 2, 1, 2],
    ),
    "an odd id again": (
        [USER, called("ä b"), result("ä b"), called("ä b"), result("ä b")],
        [0, 0, 1, 1],
    ),
    "begun anew by the user": (
        [USER, called("a"), result("a"), USER, called("a"), result("a"), called("c"), result("c")],
        [0, 0, 1, 1, 2, 2],
    ),
}
"""And for each place of an id in their order which call it is of."""


def sent_ids(value: Any) -> list[str]:
    """Those of calls and results in a body, in their order."""
    if isinstance(value, list):
        return [it for part in value for it in sent_ids(part)]
    if not isinstance(value, dict):
        return []
    own = [value[key] for key in ("tool_use_id", "tool_call_id", "call_id") if key in value]
    own += [value["id"]] if "id" in value and value.get("type") in ("tool_use", "function") else []
    nested = [value.get(key) for key in ("messages", "input", "content", "tool_calls")]
    return [*own, *sent_ids(nested)]


def body(target: str, messages: Sequence[dict[str, Any]]) -> Any:
    request = LLMRequest(request_id="r", complexity="simple", messages=tuple(messages))
    made: Any
    match target:
        case "anthropic":
            takes = model_takes("anthropic", "claude-opus-5-5")
            made = messages_call(request, "m", takes, stream=False, version="2023-06-01")
        case "openai responses":
            made = responses_call(request, "m", Takes(), stream=False)
        case _:
            dialect = Dialect(ids=TARGETS[target][0])
            made = chat_call(request, "m", Takes(), stream=False, dialect=dialect)
    assert isinstance(made, Prepared), made
    return made.body


def test_an_id_that_stands_twice_is_sent_once() -> None:
    wrong = []
    for target, (_, form) in TARGETS.items():
        for name, (messages, wanted) in CONVERSATIONS.items():
            sent = sent_ids(body(target, messages))
            again = sent_ids(body(target, messages))
            # What was said stays as it was sent: prompts are cached up to it.
            longer = [*messages, USER, called("a", "call_0"), result("a"), result("call_0")]
            begun = sent_ids(body(target, longer))[: len(sent)]
            first = list(dict.fromkeys(sent))
            odd = [it for it in sent if not re.fullmatch(form, it, re.DOTALL)]
            found = ([first.index(it) for it in sent], odd, again, begun)
            if found != (wanted, [], sent, sent):
                wrong.append((target, name, found, (wanted, [], sent, sent)))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_result_belongs_to_the_nearest_call_before_it() -> None:
    uses = (Use("1", "a", 1), Use("2", "a", 3), Use("3", "a", 4, True), Use("4", "b", 5, True))
    sent = OPENAI_CHAT.rewritten(uses)
    assert sent["1"] == "a" != sent["2"] == sent["3"]
    assert sent["4"] == "b"


def test_items_of_an_input_have_each_id_once_too() -> None:
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    done = {"type": "function_call_output", "call_id": "a", "output": "done"}
    custom = {"type": "custom_tool_call", "call_id": "a", "name": "f", "input": ""}
    made = {"type": "custom_tool_call_output", "call_id": "a", "output": "done"}
    thought = {"type": "reasoning", "summary": []}
    given = (done, call, thought, call, done, done, {"role": "user", "content": "x"}, custom, made)
    ids = [it["call_id"] for it in input_items(given, []) if "call_id" in it]
    orphan, one, two, first, second, third, last = ids
    assert orphan == one == first == "a"
    assert two == second != third == last != one
    assert len(set(ids)) == 3


@pytest.mark.parametrize("target", TARGETS)
def test_a_call_and_its_result_have_the_same(target: str) -> None:
    ids, pattern = TARGETS[target]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for call_id in ODD:
        function = {"name": "f", "arguments": "{}"}
        call = {"id": call_id, "type": "function", "function": function}
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call_id, "content": "done"})
    request = LLMRequest(request_id="r", complexity="simple", messages=tuple(messages))
    call_body = chat_call(request, "m", Takes(), stream=False, dialect=Dialect(ids=ids))
    assert isinstance(call_body, Prepared)
    sent = call_body.body["messages"][1:]
    for said, result in zip(sent[::2], sent[1::2], strict=True):
        assert said["tool_calls"][0]["id"] == result["tool_call_id"]
        assert re.fullmatch(pattern, result["tool_call_id"], re.DOTALL)


def test_mistral_has_nine_and_all_others_forty_at_most() -> None:
    for name, preset in PRESETS.items():
        assert preset.dialect.ids is (MISTRAL if name == "mistral" else OPENAI_CHAT)
