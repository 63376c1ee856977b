"""Marks up to which a prompt is cached: where they are asked for, and how many."""

from collections.abc import Iterator
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import Takes, model_takes
from tests.unit.providers.conversations import CALL, CALLED, FUNCTION, NESTED, PNG, USER

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def call(takes: Takes | None = None, *, cache: bool = False, **fields: Any) -> Prepared:
    fields = {"messages": (USER,)} | fields
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    made = messages_call(
        request,
        "m",
        takes or model_takes("anthropic", "claude-opus-5-5"),
        stream=False,
        version="2023-06-01",
        cache=cache,
    )
    assert isinstance(made, Prepared), made
    return made


def text(words: str, mark: Any = None, role: str = "user") -> dict[str, Any]:
    part = {"type": "text", "text": words} | ({} if mark is None else {"cache_control": mark})
    return {"role": role, "content": [part]}


def marks(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "cache_control" in value:
            yield value["cache_control"]
        for part in value.values():
            yield from marks(part)
    elif isinstance(value, list):
        for part in value:
            yield from marks(part)


def test_a_text_an_image_and_a_document_are_marked() -> None:
    content = [
        {"type": "text", "text": "See.", "cache_control": MARK},
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/png;base64,{PNG}"},
            "cache_control": HOUR,
        },
        {"type": "input_file", "file_url": "https://a.example/b.pdf", "cache_control": MARK},
        {"type": "text", "text": "What is it?"},
    ]
    made = call(messages=({"role": "user", "content": content},))
    sent = made.body["messages"][0]["content"]
    # An hour cannot follow five minutes.
    assert [block.get("cache_control") for block in sent] == [MARK, MARK, MARK, None]
    assert made.dropped == (
        "messages[0].content.cache_control.ttl: an hour cannot follow five minutes",
    )


def test_system_blocks_are_kept_apart_where_one_is_marked() -> None:
    made = call(messages=(text("One.", MARK, "system"), text("Two.", role="system"), USER))
    assert made.body["system"] == [
        {"type": "text", "text": "One.", "cache_control": MARK},
        {"type": "text", "text": "Two."},
    ]


@pytest.mark.parametrize(
    "tool",
    [
        {**NESTED, "cache_control": HOUR},
        {"type": "function", "function": {**FUNCTION, "cache_control": HOUR}},
        {"type": "function", **FUNCTION, "cache_control": HOUR},
    ],
)
def test_a_tool_is_marked_however_it_is_written(tool: dict[str, Any]) -> None:
    assert call(tools=(tool,)).body["tools"][0]["cache_control"] == HOUR


def test_calls_and_results_are_marked_as_a_whole() -> None:
    asked = {"role": "assistant", "content": "", "tool_calls": [{**CALL, "cache_control": MARK}]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": text("rain", MARK)["content"]}
    _, called, answered = call(messages=(CALLED[0], asked, result)).body["messages"]
    assert called["content"][0]["cache_control"] == MARK
    assert answered["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "call_1",
            "content": "rain",
            "cache_control": MARK,
        }
    ]


def test_of_more_than_four_the_earliest_are_dropped_and_reported() -> None:
    tool = {**NESTED, "cache_control": MARK}
    messages = (text("s", MARK, "system"), *(text(str(n), MARK) for n in range(4)))
    made = call(messages=messages, tools=(tool,))
    assert list(marks(made.body)) == [MARK] * 4
    assert "cache_control" not in made.body["tools"][0]
    assert made.dropped == (
        "tools[0].cache_control: the API takes 4",
        "messages[0].content.cache_control: the API takes 4",
    )


@pytest.mark.parametrize("ttl", [None, "5m", "1h"])
def test_automatic_caching_is_asked_for_beside_the_messages(ttl: str | None) -> None:
    mark = MARK if ttl is None else {**MARK, "ttl": ttl}
    made = call(cache_control=mark)
    assert (made.body["cache_control"], made.dropped) == (mark, ())


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_mark_on_a_blank_text_goes_to_what_stands_before_it(blank: str) -> None:
    said = {"type": "text", "text": "Go."}
    marked = {"type": "text", "text": blank, "cache_control": MARK}
    for role in ("user", "system"):
        made = call(messages=({"role": role, "content": [said, marked]}, USER))
        sent = made.body["system" if role == "system" else "messages"]
        blocks = sent if role == "system" else sent[0]["content"]
        assert blocks[0] == {**said, "cache_control": MARK}
        assert made.dropped == ()
    results = {"role": "tool", "tool_call_id": "c", "content": [marked]}
    called = {"role": "assistant", "content": "", "tool_calls": [{**CALL, "id": "c"}]}
    made = call(messages=(USER, called, results))
    [result] = made.body["messages"][2]["content"]
    assert result == {"type": "tool_result", "tool_use_id": "c", "cache_control": MARK}


@pytest.mark.parametrize("blank", ["", " ", "\n"])
@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_a_mark_on_a_blank_text_that_nothing_stands_before_is_reported(
    role: str, blank: str
) -> None:
    made = call(messages=(text(blank, MARK, role), USER))
    assert not list(marks(made.body))
    why = "nothing before it that could be marked"
    assert made.dropped == (f"messages[0].content.cache_control: {why}",)


def test_automatic_caching_counts_as_one() -> None:
    messages = (*(text(str(n), MARK) for n in range(4)), USER)
    made = call(messages=messages, cache_control=MARK)
    assert len(list(marks(made.body))) == 4
    assert "cache_control" in made.body
    assert made.dropped == ("messages[0].content.cache_control: the API takes 4",)


def test_automatic_caching_is_needless_where_the_last_block_is_marked() -> None:
    made = call(messages=(text("a", MARK),), cache_control=HOUR)
    assert (list(marks(made.body)), "cache_control" in made.body) == ([MARK], False)


def test_a_provider_may_have_every_prompt_cached() -> None:
    assert call(cache=True).body["cache_control"] == MARK
    assert call(cache=True, cache_control=HOUR).body["cache_control"] == HOUR
    assert "cache_control" not in call().body
    assert "cache_control" not in call(Takes(cache_control=False), cache=True).body


@pytest.mark.parametrize("mark", [{}, {"type": "for ever"}, {"type": "ephemeral", "ttl": "1d"}])
def test_other_marks_are_dropped_and_reported(mark: Any) -> None:
    made = call(messages=(text("a", mark),), cache_control=mark)
    assert list(marks(made.body)) == []
    assert [line.partition(":")[0] for line in made.dropped] == [
        "messages[0].content.cache_control",
        "cache_control",
    ]


def test_where_the_model_has_no_cache_marks_are_dropped_and_reported() -> None:
    tool = {**NESTED, "cache_control": MARK}
    messages = (text("s", MARK, "system"), text("a", MARK))
    made = call(Takes(cache_control=False), messages=messages, tools=(tool,), cache_control=MARK)
    assert list(marks(made.body)) == []
    assert set(made.dropped) == {
        "messages[0].content.cache_control",
        "messages[1].content.cache_control",
        "tools[0].cache_control",
        "cache_control",
    }
