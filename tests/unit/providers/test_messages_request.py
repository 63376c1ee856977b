"""What goes to Anthropic, field by field."""

import base64
import re
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import CALL, CALLED, EVERY_KIND, NESTED, PNG, SCHEMA, USER


def make(
    *,
    model: str = "claude",
    version: str = "2023-06-01",
    stream: bool = False,
    max_tokens: int | None = 100,
    cache: bool = False,
    **fields: Any,
) -> Any:
    fields = {"messages": (USER,)} | fields
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    return messages_call(
        request,
        model,
        model_takes("anthropic", model),
        stream=stream,
        version=version,
        max_tokens=max_tokens,
        cache=cache,
    )


def call(**fields: Any) -> Prepared:
    prepared = make(**fields)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def body(**fields: Any) -> Any:
    return dict(call(**fields).body)


def content(*parts: dict[str, Any]) -> Any:
    return body(messages=({"role": "user", "content": list(parts)},))["messages"][0]["content"]


def test_sends_no_more_than_was_asked() -> None:
    assert call() == Prepared(
        path="/messages",
        body={
            "model": "claude",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": USER["content"]}],
        },
    )
    assert body(stream=True)["stream"] is True
    assert body(max_tokens=7)["max_tokens"] == 7


def test_system_messages_stand_at_the_top() -> None:
    first, later = {"role": "system", "content": "One."}, {"role": "system", "content": "Two."}
    sent = body(messages=(first, USER, later))
    assert sent["system"] == [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    assert [message["role"] for message in sent["messages"]] == ["user"]
    assert body(messages=(first, USER))["system"] == "One."


def test_one_role_in_a_row_is_one_message() -> None:
    answer = {"role": "assistant", "content": "a"}
    sent = body(messages=(USER, USER, answer, answer, USER))
    assert [(m["role"], len(m["content"])) for m in sent["messages"][:2]] == [
        ("user", 2),
        ("assistant", 2),
    ]
    assert sent["messages"][2] == {"role": "user", "content": USER["content"]}


def test_calls_and_their_results() -> None:
    sent = body(messages=(*CALLED, {"role": "user", "content": "So?"}), tools=(NESTED,))
    assert sent["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Oslo"}}
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "rain"},
                {"type": "text", "text": "So?"},
            ],
        },
    ]
    assert sent["tools"] == [
        {
            "name": "weather",
            "description": "The weather in a city.",
            "input_schema": SCHEMA,
            "strict": True,
        }
    ]


def test_results_stand_before_all_else_in_their_message() -> None:
    messages = (CALLED[0], CALLED[1], {"role": "user", "content": "Wait."}, CALLED[2])
    last = body(messages=messages, tools=(NESTED,))["messages"][-1]["content"]
    assert [block["type"] for block in last] == ["tool_result", "text"]


def test_a_call_that_the_model_wrote_wrong_is_still_an_object() -> None:
    wrong = {**CALL, "function": {"name": "weather", "arguments": "{not json"}}
    messages = (USER, {"role": "assistant", "content": "", "tool_calls": [wrong]}, CALLED[2])
    block = body(messages=messages, tools=(NESTED,))["messages"][1]["content"][0]
    assert block["input"] == {"arguments": "{not json"}


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        ("auto", None, {"type": "auto"}),
        ("required", None, {"type": "any"}),
        ("none", False, {"type": "none"}),
        ({"type": "function", "name": "weather"}, None, {"type": "tool", "name": "weather"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        (None, True, None),
    ],
)
def test_choice_of_tools(choice: Any, parallel: bool | None, sent: Any) -> None:
    made = body(tools=(NESTED,), tool_choice=choice, parallel_tool_calls=parallel)
    assert made.get("tool_choice") == sent


def test_images_and_documents() -> None:
    text = base64.b64encode("héllo".encode()).decode()
    assert content(
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,AA==",
        },
        {"type": "input_file", "file_url": "https://a.example/b.pdf"},
        {"type": "file", "file": {"file_data": f"data:text/markdown;base64,{text}"}},
    ) == [
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}},
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "héllo"},
        },
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,AA=="}},
        {"type": "input_file", "file_data": "data:application/zip;base64,AA=="},
    ],
)
def test_what_cannot_be_said_is_refused_before_it_is_sent(part: dict[str, Any]) -> None:
    failure = make(messages=({"role": "user", "content": [part]},))
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retryable, failure.scope) == (
        "request_rejected",
        False,
        "request",
    )


@pytest.mark.parametrize(
    "odd", ["x" * 3000, "image/" + "x" * 3000, "image/a b", "image/a: b", "odd"]
)
def test_a_media_type_that_is_none_is_not_quoted(odd: str) -> None:
    url = {"type": "image_url", "image_url": {"url": f"data:{odd};base64,AAAA"}}
    file = {"type": "file", "file": {"file_data": f"data:{odd};base64,AAAA"}}
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": f"{odd} "}}
    source = {"type": "base64", "data": "AAAA", "media_type": odd}
    for part in (url, file, sound, {"type": "image", "source": source}, {"type": odd}):
        failure = make(messages=({"role": "user", "content": [part]},))
        assert isinstance(failure, ProviderFailure)
        assert odd not in failure.message
        assert len(failure.message) < 200


def test_nothing_to_say_is_refused() -> None:
    assert isinstance(make(messages=({"role": "user", "content": "  "},)), ProviderFailure)
    assert isinstance(make(messages=({"role": "system", "content": "  "},)), ProviderFailure)


@pytest.mark.parametrize("blank", [(), ({"role": "user", "content": " "},)])
def test_system_messages_alone_are_asked_as_the_users(blank: Any) -> None:
    system = ({"role": "system", "content": "Say"}, {"role": "system", "content": "hello."})
    made = call(messages=(*system, *blank))
    texts = [{"type": "text", "text": "Say"}, {"type": "text", "text": "hello."}]
    assert made.body["messages"] == [{"role": "user", "content": texts}]
    assert "system" not in made.body
    assert made.dropped == ("messages: the system's words are asked as the user's",)


@pytest.mark.parametrize("blank", ["", " ", "\n\t", [{"type": "text", "text": " "}]])
def test_a_blank_system_message_is_not_sent(blank: Any) -> None:
    made = call(messages=({"role": "system", "content": blank}, USER))
    assert "system" not in made.body
    assert made.dropped == ()


def test_what_has_no_form_is_dropped_and_reported() -> None:
    prepared = call(
        seed=7,
        store=False,
        previous_response_id="resp_1",
        mcp_servers=({"server_label": "a", "server_url": "https://a.example"},),
        tools=({"type": "web_search"},),
        tool_choice="auto",
        parallel_tool_calls=True,
        response_format={"type": "json_object"},
    )
    assert prepared.body.keys() == {"model", "max_tokens", "messages"}
    assert prepared.dropped == (
        "seed",
        "previous_response_id",
        "store",
        "mcp_servers",
        "tools[0]",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
    )


def test_sampling_goes_by_the_version_of_the_api() -> None:
    sampling = EVERY_KIND["sampling"] | {"seed": None}
    old = call(**sampling)
    assert (old.body["temperature"], old.body["top_p"]) == (0.7, 0.9)
    assert (old.body["stop_sequences"], old.dropped) == (["END", "STOP"], ())
    new = call(version="2026-10-21", **sampling)
    assert new.dropped == ("temperature", "top_p")
    assert not {"temperature", "top_p"} & new.body.keys()
    hot = call(temperature=1.8)
    assert (hot.body["temperature"], hot.dropped) == (
        1.0,
        ("temperature: sent as 1, the most that the API takes",),
    )


def test_how_to_answer() -> None:
    sent = body(
        response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA}},
        reasoning_effort="minimal",
    )
    assert sent["output_config"] == {
        "format": {"type": "json_schema", "schema": SCHEMA},
        "effort": "low",
    }
    assert body(reasoning_effort="none")["thinking"] == {"type": "disabled"}


def test_an_answer_begun_does_not_end_in_white_space() -> None:
    begun = {"role": "assistant", "content": "The cat \n"}
    assert body(messages=(USER, begun))["messages"][-1]["content"] == "The cat"


def test_ids_of_calls_have_only_the_characters_that_the_api_takes() -> None:
    call_ = {"id": "functions.f:0", "function": {"name": "f", "arguments": "{}"}}
    asked, answered = body(
        messages=(
            {"role": "assistant", "content": "", "tool_calls": [call_]},
            {"role": "tool", "tool_call_id": "functions.f:0", "content": "1"},
        )
    )["messages"]
    sent = asked["content"][0]["id"]
    assert re.fullmatch("[a-zA-Z0-9_-]+", sent)
    assert answered["content"][0]["tool_use_id"] == sent


@pytest.mark.parametrize(
    "ids",
    [
        ("a:0", "a.0"),
        ("a", "a:"),
        ("", " "),
        ("x" * 70, "x" * 71),
        ("ä", "ö"),
        ("functions.f:0", "functions_f_0"),
    ],
)
def test_two_ids_never_become_one(ids: tuple[str, str]) -> None:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": it, "function": function} for it in ids]
    results = [{"role": "tool", "tool_call_id": it, "content": it or "none"} for it in ids]
    _, asked, answered = body(
        messages=(USER, {"role": "assistant", "content": None, "tool_calls": calls}, *results)
    )["messages"]
    sent = [block["id"] for block in asked["content"]]
    assert len(set(sent)) == 2
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", it) for it in sent)
    assert [block["tool_use_id"] for block in answered["content"]] == sent


@pytest.mark.parametrize(
    "arguments",
    ['{"x": NaN}', '{"x": 1e999}', '{"x": -Infinity}', "[" * 100_000, "[" * 200 + "]" * 200],
)
def test_arguments_that_json_cannot_carry_are_refused(arguments: str) -> None:
    wrong = {**CALL, "function": {"name": "weather", "arguments": arguments}}
    failure = make(
        messages=(USER, {"role": "assistant", "content": "", "tool_calls": [wrong]}, CALLED[2])
    )
    assert isinstance(failure, ProviderFailure)
    assert failure.type == "request_rejected"
    assert "messages[1]" in failure.message


@pytest.mark.parametrize(
    ("arguments", "given"),
    [("", {}), ("{}", {}), ("null", {"arguments": None}), ("[1]", {"arguments": [1]})],
)
def test_arguments_become_an_object(arguments: str, given: Any) -> None:
    odd = {**CALL, "function": {"name": "weather", "arguments": arguments}}
    messages = (USER, {"role": "assistant", "content": "", "tool_calls": [odd]}, CALLED[2])
    assert body(messages=messages)["messages"][1]["content"][0]["input"] == given


def test_calls_without_their_results_are_not_asked_to_go_on() -> None:
    failure = make(model="claude-opus-5-5", messages=CALLED[:2])
    assert isinstance(failure, ProviderFailure)
    assert "messages[1]" in failure.message


def test_who_asks() -> None:
    made = call(user="u1", metadata={"team": "a", "user_id": "u2"}, service_tier="standard_only")
    assert made.body["metadata"] == {"user_id": "u1"}
    assert made.body["service_tier"] == "standard_only"
    assert made.dropped == ("metadata.user_id", "metadata.team")
    assert made.names["metadata.user_id"] == "user"
    other = call(metadata={"user_id": "u2"}, service_tier="priority")
    assert other.body["metadata"] == {"user_id": "u2"}
    assert other.names["metadata.user_id"] == "metadata"
    assert other.dropped == ("service_tier: no tier that the API has",)
    assert call(user="u" * 257).dropped == ("user",)
    assert call(metadata={"user_id": 7}).dropped == ("metadata.user_id",)


def test_fields_of_other_apis_are_reported() -> None:
    cases = [
        ("presence_penalty", 0.5),
        ("frequency_penalty", 0.5),
        ("verbosity", "low"),
        ("reasoning_summary", "auto"),
        ("include", ("reasoning.encrypted_content",)),
        ("prompt_cache_key", "k"),
        ("seed", 0),
        ("store", False),
    ]
    wrong = []
    for field, value in cases:
        made = call(**{field: value})
        found = (made.dropped, made.body.keys())
        expected = ((field,), {"model", "max_tokens", "messages"})
        if found != expected:
            wrong.append((field, value, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_pictures_in_a_tools_result_stay_in_it() -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}"}}
    result = {"role": "tool", "tool_call_id": "call_1", "content": [picture]}
    last = body(messages=(*CALLED[:2], result))["messages"][-1]["content"]
    [block] = last[0]["content"]
    assert block["source"] == {"type": "base64", "media_type": "image/jpeg", "data": PNG}


def test_what_is_said_of_a_document_goes_with_it() -> None:
    document = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "héllo"},
        "title": "a",
        "context": "It is old.",
        "citations": {"enabled": True},
    }
    assert content(document) == [document]
