"""A stream of chat chunks comes to the same as the answer unstreamed."""

from typing import Any

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.chat.answer import read_chat
from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.port import ProviderFailure
from tests.lazy import Lazy

chat = Lazy("openai.types.chat")

USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 5,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def chunk(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As the official client's own model writes it."""
    fields = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "gpt-4o",
        "choices": list(choices),
        **more,
    }
    dumped: dict[str, Any] = chat.ChatCompletionChunk.model_validate(fields).model_dump(mode="json")
    return dumped


def choice(finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish}


def piece(index: int, arguments: str, **start: Any) -> dict[str, Any]:
    name = start.pop("name", None)
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {"index": index, "function": function, **start}


def read(*events: dict[str, Any]) -> tuple[list[str], Any]:
    stream = ChatStream()
    told = [it for it in map(stream.take, events) if it]
    whole = stream.whole()
    return told, None if whole is None else read_chat(whole)


def whole(**message: Any) -> Reading:
    """The reading of the same answer unstreamed."""
    finish = message.pop("finish", "stop")
    answer = chat.ChatCompletion.model_validate(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "gpt-4o",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": None, **message},
                    "finish_reason": finish,
                    "logprobs": None,
                }
            ],
            "usage": USAGE,
        }
    )
    reading = read_chat(answer.model_dump(mode="json"))
    assert isinstance(reading, Reading)
    return reading


def test_text_and_the_usage_in_a_chunk_of_its_own() -> None:
    told, reading = read(
        chunk(choice(role="assistant", content="")),
        chunk(choice(content="Hel")),
        chunk(choice(content="lo.")),
        chunk(choice("stop")),
        chunk(usage=USAGE),
    )
    assert told == ["Hel", "lo."]
    assert reading == whole(content="Hello.")
    assert reading.usage == Usage(7, 5, 12, 4, 3)


def test_tool_calls_come_in_pieces() -> None:
    told, reading = read(
        chunk(choice(tool_calls=[piece(0, "", id="c1", type="function", name="weather")])),
        chunk(choice(tool_calls=[piece(0, '{"city"')])),
        chunk(choice(tool_calls=[piece(1, "", id="c2", type="function", name="now")])),
        chunk(choice(tool_calls=[piece(0, ': "Oslo"}'), piece(1, "{}")])),
        chunk(choice("tool_calls")),
        chunk(usage=USAGE),
    )
    calls = [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
        },
        {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
    ]
    assert told == []
    assert reading == whole(tool_calls=calls, finish="tool_calls")


def test_calls_sent_whole_without_an_index_stay_apart() -> None:
    calls = [
        {"id": "c1", "function": {"name": "a", "arguments": "{}"}},
        {"id": "c2", "function": {"name": "b", "arguments": "{}"}},
    ]
    together = [{"choices": [{"delta": {"tool_calls": calls}}]}]
    apart = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
    for chunks in (together, apart):
        _, reading = read(*chunks, chunk(choice("tool_calls")))
        assert [(it["id"], it["function"]["name"]) for it in reading.tool_calls] == [
            ("c1", "a"),
            ("c2", "b"),
        ]


def test_a_refusal_counts_as_the_text() -> None:
    _, reading = read(
        chunk(choice(refusal="I ")),
        chunk(choice(refusal="cannot.")),
        chunk(choice("stop")),
        chunk(usage=USAGE),
    )
    assert reading == whole(refusal="I cannot.")


def test_content_that_comes_in_parts_is_text_too() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    said = {"type": "text", "text": "Hel"}
    pieces: list[Any] = [[thought], [said], "lo."]
    events = [{"choices": [choice(content=it)]} for it in pieces]  # not the client's types
    told, reading = read(*events, chunk(choice("stop")))
    assert told == ["Hel", "lo."]
    assert reading.response == "Hello."


def test_a_choice_whose_index_is_null_is_the_first() -> None:
    events = [{"choices": [{**choice(finish="stop", content="Hi"), "index": None}]}]
    assert read(*events)[0] == ["Hi"]


def test_only_the_first_of_two_choices_is_taken() -> None:
    told, reading = read(
        chunk(choice(content="a")),
        chunk(choice(content="b", index=1)),
        chunk(choice("length", index=1)),
        chunk(choice("stop")),
    )
    assert told == ["a"]
    assert (reading.response, reading.finish_reason) == ("a", "stop")


def test_without_a_finish_reason_the_answer_did_not_end() -> None:
    assert read(chunk(choice(content="Hel"))) == (["Hel"], None)
    assert read(chunk(usage=USAGE)) == ([], None)
    assert read() == ([], None)


def test_an_error_in_the_stream_is_a_failure_whenever_it_comes() -> None:
    error = {"code": 502, "message": "upstream"}
    half = chunk(choice(content="Hel"))
    for last in (
        {"error": error},
        {"error": error, "choices": [choice("error", content="")]},
        {"choices": [{**choice("error"), "error": error}]},
    ):
        for events in ((half, last), (half, last, chunk(choice("stop")))):
            told, failure = read(*events)
            assert told == ["Hel"]
            assert isinstance(failure, ProviderFailure)
            assert (failure.type, failure.status_code) == ("provider_error", 502)


def test_odd_chunks_add_nothing() -> None:
    odd: list[dict[str, Any]] = [
        {},
        {"choices": None},
        {"choices": ["x"]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": 7, "tool_calls": "x"}}]},
        {"choices": [{"delta": {"tool_calls": [None, {"function": None}]}}]},
    ]
    told, reading = read(*odd[:5], chunk(choice("stop", content="Hi")))
    assert (told, reading.response) == (["Hi"], "Hi")
    told, _ = read(odd[5])
    assert told == []
