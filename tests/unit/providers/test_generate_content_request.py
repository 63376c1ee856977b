"""How a request is said to Gemini: what is sent, what is dropped and told, what is refused."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.apis.generate_content.turns import UNCHECKED
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import CALL, CALLED, FLAT, NESTED, PNG, SCHEMA, USER

FLASH = "gemini-3.8-flash"


def call(model: str = FLASH, *, stream: bool = False, **fields: Any) -> Prepared:
    said = {"messages": (USER,)} | fields
    request = LLMRequest(request_id="r", complexity="simple", **said)
    prepared = generate_content_call(request, model, model_takes("gemini", model), stream=stream)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def paths(prepared: Prepared) -> tuple[str, ...]:
    """Those in `dropped`, without what is said of them."""
    return tuple(it.partition(":")[0] for it in prepared.dropped)


def refuse(**fields: Any) -> str:
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    failure = generate_content_call(request, FLASH, model_takes("gemini", FLASH), stream=False)
    assert isinstance(failure, ProviderFailure), failure
    assert (failure.type, failure.scope, failure.retryable) == (
        "request_rejected",
        "request",
        False,
    )
    return failure.message


def contents(*messages: dict[str, Any], model: str = FLASH) -> Any:
    return call(model, messages=messages).body["contents"]


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def signed(signature: str) -> dict[str, Any]:
    return {**CALL, "extra_content": {"google": {"thought_signature": signature}}}


@pytest.mark.parametrize(
    ("model", "segment"),
    [
        ("gemini-3.8-flash", "gemini-3.8-flash"),
        ("models/gemini-3.8-flash", "gemini-3.8-flash"),
        ("models/models/x", "models%2Fx"),
        ("a/b:c@d+e", "a%2Fb%3Ac%40d%2Be"),
    ],
)
def test_the_models_name_is_one_segment_of_the_path(model: str, segment: str) -> None:
    assert call(model).path == f"/models/{segment}:generateContent"
    assert call(model, stream=True).path == f"/models/{segment}:streamGenerateContent?alt=sse"
    assert call(model, stream=True).body == call(model).body


def test_system_messages_are_the_instruction_wherever_they_stood() -> None:
    body = call(
        messages=(
            {"role": "system", "content": "Be brief."},
            USER,
            {"role": "system", "content": "Be kind."},
        )
    ).body
    assert body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
        "contents": [{"role": "user", "parts": [{"text": USER["content"]}]}],
    }


def test_system_messages_alone_are_asked_as_the_users() -> None:
    made = call(messages=({"role": "system", "content": "Say hello."},))
    body = made.body
    assert made.dropped == ("messages: the system's words are asked as the user's",)
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}


def test_messages_of_one_role_in_a_row_are_one_turn() -> None:
    said = contents(
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        CALLED[2],
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
        {"role": "user", "content": "d"},
    )
    assert [(turn["role"], [next(iter(part)) for part in turn["parts"]]) for turn in said] == [
        ("user", ["text", "text"]),
        ("model", ["text", "functionCall"]),
        ("user", ["functionResponse", "functionResponse"]),
        ("user", ["text"]),
    ]


def test_a_message_that_says_nothing_is_no_turn() -> None:
    said = contents(USER, {"role": "assistant", "content": ""}, USER)
    assert [turn["role"] for turn in said] == ["user", "user"]
    assert "says something" in refuse(messages=({"role": "user", "content": ""},))


def test_calls_and_results_carry_names_ids_and_objects() -> None:
    _, asked, answered = contents(*CALLED)
    assert asked["parts"] == [
        {
            "functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Oslo"}},
            "thoughtSignature": UNCHECKED,
        }
    ]
    assert answered == {
        "role": "user",
        "parts": [
            {
                "functionResponse": {
                    "id": "call_1",
                    "name": "weather",
                    "response": {"output": "rain"},
                }
            }
        ],
    }


def test_the_first_call_of_a_turn_is_signed_by_whoever_can() -> None:
    def signatures(*calls: dict[str, Any], model: str = FLASH) -> list[str | None]:
        message = {"role": "assistant", "content": "", "tool_calls": list(calls)}
        [turn] = contents(message, model=model)
        return [part.get("thoughtSignature") for part in turn["parts"]]

    assert signatures(CALL, CALL) == [UNCHECKED, None]
    assert signatures(signed("c2Vh"), CALL) == ["c2Vh", None]
    assert signatures(signed("c2Vh"), signed("bGVk")) == ["c2Vh", "bGVk"]
    # Older models do not ask for it, and might not know the word for doing without.
    assert signatures(CALL, model="gemini-2.5-flash") == [None]
    assert signatures(signed("c2Vh"), model="gemini-2.5-flash") == ["c2Vh"]


def test_media_are_data_or_a_url_with_its_kind_where_the_path_tells() -> None:
    [turn] = contents(
        user(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.JPG?v=.png"}},
            {"type": "image_url", "image_url": {"url": "https://x.example/a"}},
            {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
        )
    )
    assert turn["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"fileData": {"fileUri": "https://x.example/a.JPG?v=.png", "mimeType": "image/jpeg"}},
        {"fileData": {"fileUri": "https://x.example/a"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
    ]


def test_a_tools_picture_is_a_part_of_its_result() -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    text = {"type": "text", "text": "rain"}
    said = contents(*CALLED[:2], {**CALLED[2], "content": [text, picture]})
    result = said[-1]["parts"][0]["functionResponse"]
    assert result["response"] == {"output": "rain"}
    assert result["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]


def test_a_tools_picture_moves_behind_the_results_where_a_result_takes_none() -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    messages = (*CALLED[:2], {**CALLED[2], "content": [picture]})
    prepared = call("gemini-2.5-flash", messages=messages)
    [result, named, moved] = prepared.body["contents"][-1]["parts"]
    assert "parts" not in result["functionResponse"]
    assert result["functionResponse"]["name"] in named["text"]
    assert moved == {"inlineData": {"mimeType": "image/png", "data": PNG}}
    assert "messages[2].content" in paths(prepared)


@pytest.mark.parametrize("model", ["gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash"])
def test_json_beside_functions_is_asked_in_words_where_it_is_refused(model: str) -> None:
    wanted = {"type": "json_schema", "schema": SCHEMA}
    prepared = call(model, tools=(NESTED,), response_format=wanted)
    assert "responseMimeType" not in prepared.body.get("generationConfig", {})
    assert "JSON Schema" in prepared.body["systemInstruction"]["parts"][-1]["text"]
    assert prepared.check == SCHEMA
    assert "response_format" in paths(prepared)
    kept = call("gemini-3-flash", tools=(NESTED,), response_format=wanted)
    assert kept.body["generationConfig"]["responseMimeType"] == "application/json"


@pytest.mark.parametrize("tool", [NESTED, FLAT])
def test_functions_keep_their_json_schema(tool: dict[str, Any]) -> None:
    prepared = call(tools=(tool,))
    assert prepared.body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "The weather in a city.",
                    "parametersJsonSchema": SCHEMA,
                }
            ]
        }
    ]
    assert prepared.dropped == ("tools.strict",)


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "name": "weather"},
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
        ),
    ],
)
def test_tool_choices(choice: Any, config: dict[str, Any]) -> None:
    body = call(tools=(NESTED,), tool_choice=choice).body
    assert body["toolConfig"] == {"functionCallingConfig": config}


def test_settings_of_the_answer() -> None:
    prepared = call(
        "gemini-2.5-flash",
        max_tokens=9,
        temperature=0.0,
        top_p=0.5,
        top_k=3,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        stop=("a",) * 5,
        seed=-7,
    )
    assert prepared.body["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0.0,
        "topP": 0.5,
        "topK": 3,
        "presencePenalty": 0.5,
        "frequencyPenalty": -0.5,
        "stopSequences": ["a"] * 5,
        "seed": -7,
    }
    assert prepared.dropped == ()


def test_structured_output() -> None:
    kind = {"responseMimeType": "application/json"}
    body = call(response_format={"type": "json_object"}).body
    assert body["generationConfig"] == kind
    wanted = {"name": "place", "schema": SCHEMA, "strict": True, "description": "A place."}
    body = call(response_format={"type": "json_schema", "json_schema": wanted}).body
    schema = {**SCHEMA, "description": "A place."}
    assert body["generationConfig"] == {**kind, "responseJsonSchema": schema}
    assert "generationConfig" not in call(response_format={"type": "text"}).body


EFFORTS_SENT = [
    (FLASH, "none", {"thinkingLevel": "LOW"}, True),
    ("gemini-3-flash-preview", "none", {"thinkingLevel": "MINIMAL"}, True),
    ("gemini-3.1-flash-lite", "minimal", {"thinkingLevel": "MINIMAL"}, False),
    ("gemini-3.6-flash", "minimal", {"thinkingLevel": "MINIMAL"}, False),
    ("gemini-3.7-flash", "minimal", {"thinkingLevel": "LOW"}, True),
    ("gemini-3-pro-preview", "medium", {"thinkingLevel": "LOW"}, True),
    ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "MEDIUM"}, False),
    ("gemini-4-hydrogen", "xhigh", {"thinkingLevel": "XHIGH"}, False),
    ("gemini-4-hydrogen", "max", {"thinkingLevel": "XHIGH"}, True),
    ("gemini-5-newest", "max", {"thinkingLevel": "HIGH"}, True),
    ("future-model-9", "high", {"thinkingLevel": "HIGH"}, False),
    ("gemini-2.5-flash-lite", "none", {"thinkingBudget": 0}, False),
    ("gemini-2.0-flash", "none", None, False),
    (FLASH, "minimal", {"thinkingLevel": "LOW"}, True),
    (FLASH, "low", {"thinkingLevel": "LOW"}, False),
    (FLASH, "medium", {"thinkingLevel": "MEDIUM"}, False),
    (FLASH, "high", {"thinkingLevel": "HIGH"}, False),
    (FLASH, "xhigh", {"thinkingLevel": "HIGH"}, True),
    (FLASH, "max", {"thinkingLevel": "HIGH"}, True),
    ("models/gemini-4-argon", "low", {"thinkingLevel": "LOW"}, False),
    ("gemini-flash-latest", "high", {"thinkingLevel": "HIGH"}, False),
    ("gemini-2.5-flash", "none", {"thinkingBudget": 0}, False),
    ("gemini-2.5-flash-lite", "low", {"thinkingBudget": 1024}, False),
    ("gemini-2.5-pro", "none", {"thinkingBudget": 128}, True),
    ("gemini-2.5-pro", "high", {"thinkingBudget": 24576}, False),
    ("gemini-2.5-pro", "max", {"thinkingBudget": 24576}, True),
    ("gemini-2.5-flash", "xhigh", {"thinkingBudget": 24576}, True),
    ("gemini-2.0-flash", "high", None, True),
    ("gemma-3-27b-it", "high", None, True),
]


def test_efforts() -> None:
    wrong = []
    for model, effort, config, told in EFFORTS_SENT:
        prepared = call(model, reasoning_effort=effort)
        found = prepared.body.get("generationConfig", {}).get("thinkingConfig")
        got = (found, paths(prepared))
        expected = (config, ("reasoning_effort",) if told else ())
        if got != expected:
            wrong.append((model, effort, config, told, got, expected))
    assert not wrong, "\n".join(map(repr, wrong))


LEFT_OUT_AND_TOLD = [
    ({"previous_response_id": "r1", "store": False}, ("previous_response_id", "store")),
    ({"mcp_servers": ({"server_label": "x"},)}, ("mcp_servers",)),
    ({"parallel_tool_calls": False}, ("parallel_tool_calls",)),
    ({"tools": ({"type": "web_search"},)}, ("tools[0]",)),
    (
        {"tools": ({"type": "web_search"},), "tool_choice": {"type": "web_search"}},
        ("tools[0]", "tool_choice"),
    ),
    ({"tool_choice": "auto"}, ("tool_choice",)),
    ({"seed": 2**31}, ("seed",)),
    (
        {
            "messages": (
                user(
                    {
                        "type": "image_url",
                        "image_url": {"url": "https://x.example/a.png", "detail": "low"},
                    }
                ),
            )
        },
        ("detail",),
    ),
]


def test_drops_and_tells() -> None:
    wrong = []
    for fields, dropped in LEFT_OUT_AND_TOLD:
        prepared = call(**fields)
        found = (prepared.dropped, prepared.body.keys())
        expected = (dropped, {"contents"})
        if found != expected:
            wrong.append((fields, dropped, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ((user({"type": "input_audio", "input_audio": {}}),), r"messages[0].content[0]"),
        ((user({"type": "file", "file": {"file_id": "file-1"}}),), "id it has elsewhere"),
        (({"role": "tool", "tool_call_id": "lost", "content": "x"},), "function's name"),
        (
            (
                {"role": "system", "content": [{"type": "input_image", "image_url": "https://x"}]},
                USER,
            ),
            "messages[0].content[0]",
        ),
        (
            (USER, {"role": "assistant", "content": "", "tool_calls": [{"type": "custom"}]}),
            "messages[1].tool_calls[0]",
        ),
    ],
)
def test_refuses_what_it_cannot_say(messages: Any, why: str) -> None:
    assert why in refuse(messages=messages)


def test_the_first_stops_are_sent_where_there_are_more_than_the_api_takes() -> None:
    prepared = call(messages=(USER,), stop=tuple("abcdef"))
    assert prepared.body["generationConfig"]["stopSequences"] == list("abcde")
    assert prepared.dropped == ("stop: the first 5, as many as are taken",)
