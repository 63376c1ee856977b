"""One neutral form of what producers write in two."""

import base64
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.conversation import (
    Conversation,
    Function,
    JsonObject,
    JsonSchema,
    Named,
    ToolCall,
    Turn,
    read_conversation,
)
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.apis.parts import Media, Part, Text, Unknown
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import Takes
from tests.unit.providers.conversations import (
    CALL,
    CALLED,
    EVERY_KIND,
    FLAT,
    FUNCTION,
    NESTED,
    PNG,
    SCHEMA,
    USER,
)


def read(**fields: Any) -> Conversation:
    fields = {"messages": (USER,)} | fields
    return read_conversation(LLMRequest(request_id="r", complexity="simple", **fields))


def part(given: Any) -> Part:
    [found] = read(messages=({"role": "user", "content": [given]},)).turns[0].parts
    return found


def test_everything_but_built_in_tools_has_a_form() -> None:
    wrong = []
    for name in EVERY_KIND:
        expected = ("tools[0]",) if name == "built-in tool" else ()
        found = read(**EVERY_KIND[name]).unsaid
        if found != expected:
            wrong.append((name, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_system_texts_stand_apart_wherever_they_stood() -> None:
    parts = [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]
    found = read(
        messages=(
            {"role": "system", "content": "a"},
            USER,
            {"role": "system", "content": parts},
            {"role": "system", "content": ""},
        )
    )
    assert found.system == (Text("a"), Text("b"), Text("c"))
    assert found.turns == (Turn("user", (Text(USER["content"]),), path="messages[1]"),)


def test_calls_and_results_know_each_other() -> None:
    found = read(messages=CALLED)
    assert found.turns[1:] == (
        Turn(
            "assistant",
            calls=(ToolCall("call_1", "weather", '{"city": "Oslo"}'),),
            path="messages[1]",
        ),
        Turn("tool", (Text("rain"),), call_id="call_1", tool_name="weather", path="messages[2]"),
    )
    stray = {"role": "tool", "tool_call_id": "x", "name": "clock", "content": "9"}
    assert read(messages=(stray,)).turns[0].tool_name == "clock"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("[1]", {"arguments": [1]}),
        ("7", {"arguments": 7}),
        ("no JSON", {"arguments": "no JSON"}),
        ("{", {"arguments": "{"}),
    ],
)
def test_arguments_are_an_object_whatever_the_model_wrote(arguments: str, expected: Any) -> None:
    assert ToolCall("c", "f", arguments).arguments_object() == expected


def test_arguments_that_are_no_text_are_written_as_json() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}
    none = {"id": "d", "function": {"name": "f"}}
    found = read(messages=({"role": "assistant", "content": "", "tool_calls": [call, none]},))
    assert [it.arguments for it in found.turns[0].calls] == ['{"a": 1}', "{}"]


@pytest.mark.parametrize("arguments", ["", "  ", None, {}])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    call = {**CALL, "function": {"name": "weather", "arguments": arguments}}
    found = read(messages=({"role": "assistant", "content": "", "tool_calls": [call]},))
    assert [it.arguments for it in found.turns[0].calls] == ["{}"]


def test_a_call_of_no_function_is_reported_by_its_place() -> None:
    calls = [CALL, {"id": "c", "type": "custom", "custom": {}}, None]
    found = read(messages=(USER, {"role": "assistant", "content": "", "tool_calls": calls}))
    assert [it.id for it in found.turns[1].calls] == ["call_1"]
    assert found.unsaid == ("messages[1].tool_calls[1]", "messages[1].tool_calls[2]")


TEXT_64 = base64.b64encode(b"a b").decode()


def test_urls_and_what_they_hold() -> None:
    cases = [
        ("https://a.example/b.png", Media("image", url="https://a.example/b.png")),
        (f"data:image/png;base64,{PNG}", Media("image", data=PNG, media_type="image/png")),
        (f"DATA:image/png;base64,{PNG}", Media("image", data=PNG, media_type="image/png")),
        (
            f"data:image/svg+xml;charset=utf-8;base64,{PNG}",
            Media("image", data=PNG, media_type="image/svg+xml"),
        ),
        (
            f"data:image/png;base64,{PNG[:20]}\n {PNG[20:]}",
            Media("image", data=PNG, media_type="image/png"),
        ),
        ("data:text/plain,a%20b", Media("image", data=TEXT_64, media_type="text/plain")),
        ("data:,a%20b", Media("image", data=TEXT_64, media_type="text/plain")),
        ("data:image/png;base64", Unknown("image")),
        ("data:image/png;base64,not*base64", Unknown("image")),
        ("data:image/png;base64,abc", Media("image", data="abc=", media_type="image/png")),
        ("data:image/png;base64,-_8", Media("image", data="+/8=", media_type="image/png")),
        ("data:image/png;base64,abcde", Unknown("image")),
        ("data:image/jpg;base64,abcd", Media("image", data="abcd", media_type="image/jpeg")),
        ("data:IMAGE/PNG;base64,abcd", Media("image", data="abcd", media_type="image/png")),
    ]
    wrong = [
        (url, expected, found)
        for url, expected in cases
        if (
            found := (
                part({"type": "image_url", "image_url": {"url": url}}),
                part({"type": "input_image", "image_url": url}),
            )
        )
        != (expected, expected)
    ]
    assert not wrong, "\n".join(map(repr, wrong))


PARTS = [
    ({"type": "text", "text": "a"}, Text("a")),
    ({"type": "output_text", "text": "a", "annotations": []}, Text("a")),
    ({"type": "refusal", "refusal": "no"}, Text("no")),
    (
        {"type": "image_url", "image_url": {"url": "https://a.example", "detail": "low"}},
        Media("image", url="https://a.example", detail="low"),
    ),
    (
        {"type": "input_image", "file_id": "f", "detail": "high"},
        Media("image", file_id="f", detail="high"),
    ),
    (
        {"type": "file", "file": {"file_data": PNG, "filename": "a.pdf"}},
        Media("file", data=PNG, media_type="application/pdf", name="a.pdf"),
    ),
    (
        {"type": "input_file", "file_data": f"data:text/csv;base64,{PNG}"},
        Media("file", data=PNG, media_type="text/csv"),
    ),
    (
        {"type": "input_file", "file_url": "https://a.example/b.pdf"},
        Media("file", url="https://a.example/b.pdf"),
    ),
    ({"type": "input_file", "file_id": "f"}, Media("file", file_id="f")),
    ({"type": "input_file"}, Unknown("file")),
    ({"type": "input_file", "file_data": "not*base64"}, Unknown("file")),
    ({"type": "input_audio", "input_audio": {}}, Unknown("input_audio")),
    ({"type": "text", "text": 7}, Unknown("text")),
    ({"type": "image_url", "image_url": {}}, Unknown("image_url")),
    ({"type": 7}, Unknown("none")),
    ("text", Unknown("none")),
]


def test_parts_of_both_apis() -> None:
    wrong = [
        (given, expected, found) for given, expected in PARTS if (found := part(given)) != expected
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_unknown_parts_are_reported_by_their_place() -> None:
    odd = [{"type": "text", "text": "a"}, {"type": "video"}]
    found = read(messages=({"role": "system", "content": odd}, {"role": "user", "content": odd}))
    assert found.unsaid == ("messages[0].content[1]", "messages[1].content[1]")
    assert found.turns[0].text == "a"


def test_tools_of_both_forms_are_one() -> None:
    function = Function("weather", FUNCTION["description"], SCHEMA, strict=True)
    bare = {"type": "function", "name": "now"}
    found = read(
        tools=(NESTED, FLAT, bare, {"type": "function"}, {"type": "function", "function": 7})
    )
    assert found.functions == (function, function, Function("now", None, None))
    assert found.unsaid == ("tools[3]", "tools[4]")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, Named("f")),
        ({"function": {"name": "f"}}, Named("f")),
        ({"type": "function", "name": "f"}, Named("f")),
    ],
)
def test_tool_choices(choice: Any, expected: Any) -> None:
    found = read(tools=(FLAT,), tool_choice=choice)
    assert (found.choice, found.unsaid) == (expected, ())


@pytest.mark.parametrize(
    "choice",
    ["any", {"type": "web_search"}, {"type": "function"}, {"type": "tool", "name": "f"}, {}],
)
def test_odd_tool_choices_are_reported(choice: Any) -> None:
    found = read(tools=(FLAT,), tool_choice=choice)
    assert (found.choice, found.unsaid) == (None, ("tool_choice",))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, JsonObject()),
        (
            {"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA, "strict": True}},
            JsonSchema(SCHEMA, "p", strict=True),
        ),
        (
            {"type": "json_schema", "schema": SCHEMA, "description": "d"},
            JsonSchema(SCHEMA, "answer", None, "d"),
        ),
    ],
)
def test_output_formats(wanted: Any, expected: Any) -> None:
    assert read(response_format=wanted).output == expected


def test_parts_without_a_word_are_none() -> None:
    parts = [{"type": "text", "text": ""}, {"type": "text", "text": "x"}]
    [turn] = read(messages=({"role": "user", "content": parts},)).turns
    assert turn.parts == (Text("x"),)
    [turn] = read(messages=({"role": "user", "content": parts[:1]},)).turns
    assert turn.parts == ()


def test_names_of_speakers_are_reported_where_there_is_no_place_for_them() -> None:
    said = (
        {"role": "user", "content": "Hi", "name": "Ann"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "1", "tool_call_id": CALL["id"], "name": "f"},
    )
    request = LLMRequest(request_id="r", complexity="simple", messages=said)
    told = ("messages[0].name",)
    anthropic = messages_call(
        request, "m", Takes(), stream=False, version="2023-06-01", max_tokens=1
    )
    gemini = generate_content_call(request, "m", Takes(), stream=False)
    for prepared in (anthropic, gemini):
        assert isinstance(prepared, Prepared)
        assert prepared.dropped == told


def test_items_of_an_input_that_have_no_message_are_reported() -> None:
    items = (
        {"role": "user", "content": "Hi"},
        {"type": "item_reference", "id": "m1"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "computer_call_output", "call_id": "d", "output": {}},
    )
    request = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=({"role": "user", "content": "Hi"},),
        input=items,
    )
    told = ("input[1]", "input[4]")
    assert read_conversation(request).unsaid == told
    assert chat_call(request, "m", Takes(), stream=False).dropped == told
    responses = responses_call(request, "m", Takes(), stream=False)
    assert isinstance(responses, Prepared)
    sent = [{"type": "message", **items[0]}, *items[1:]]
    assert (responses.dropped, responses.body["input"]) == ((), sent)
