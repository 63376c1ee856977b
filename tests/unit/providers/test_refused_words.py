"""The field that a refusal names, in the words of many servers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.failures import failed_inside, failed_status, read_complaint
from nexus_actors.providers.sent_fields import dispensable


def refused(body: Any, status: int = 400) -> tuple[str | None, bool]:
    failure = failed_status(status, {}, json.dumps(body).encode(), now=0.0)
    return failure.refused_field, failure.refused_value


def openai(code: str | None, param: Any, message: str = "no") -> dict[str, Any]:
    return {
        "error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    }


def test_by_its_code() -> None:
    cases = [
        ("unsupported_parameter", False),
        ("unknown_parameter", False),
        ("unsupported_value", True),
        ("invalid_value", True),
    ]
    others = ["temperature", "reasoning.effort", "messages[0].cache_control"]
    wrong = [
        (code, is_value, param, found)
        for code, is_value in cases
        for param in others
        if (found := (refused(openai(code, param)), refused(openai(code, param), 422)))
        != ((param, is_value), (param, is_value))
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_but_not_by_anything() -> None:
    cases = [
        openai(None, "temperature"),
        openai("context_length_exceeded", "messages"),
        openai("invalid_api_key", "temperature"),
        openai("unsupported_parameter", None),
        openai("unsupported_parameter", 7),
        openai("unsupported_parameter", ["temperature"]),
        openai("unsupported_parameter", "a sentence about it"),
        openai("unsupported_parameter", "\u202etemperature"),
        openai("unsupported_parameter", ""),
    ]
    wrong = [(body, found) for body in cases if (found := refused(body)) != (None, False)]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("status", [401, 403, 404, 413, 429, 500, 503])
def test_nor_with_other_statuses(status: int) -> None:
    assert refused(openai("unsupported_parameter", "temperature"), status) == (None, False)


def test_a_long_name_is_cut() -> None:
    word, _ = refused(openai("unsupported_parameter", "x" * 1_000))
    assert word == "x" * 64


FIELDS = [
    (
        "litellm.BadRequestError: OpenAIException - Unsupported parameter: 'temperature' is not"
        " supported with this model.",
        "temperature",
    ),
    ("The parameter `top_p` is not supported by this model", "top_p"),
    ("This model does not support the temperature parameter", "temperature"),
    # Anthropic
    ("`temperature` is deprecated for this model.", "temperature"),
    ("temperature is deprecated for this model", "temperature"),
    ("`top_p` is deprecated for this model.", "top_p"),
    ("temperature: Extra inputs are not permitted", "temperature"),
    ("output_config.effort: Extra inputs are not permitted", "output_config.effort"),
    (
        "messages.0.content.0.text.cache_control.ttl: Extra inputs are not permitted",
        "messages.0.content.0.text.cache_control.ttl",
    ),
    ("This model does not support the effort parameter.", "effort"),
    ("adaptive thinking is not supported on this model", "thinking"),
    # OpenAI without a code
    ("Unsupported parameter: 'temperature' is not supported with this model.", "temperature"),
    (
        "Unsupported parameter: 'reasoning_effort'. In the Responses API, it has moved.",
        "reasoning_effort",
    ),
    ("Unknown parameter: 'include[0]'.", "include[0]"),
    ("Unrecognized request argument supplied: reasoning_effort", "reasoning_effort"),
    ("Unrecognized request arguments supplied: seed, user", "seed"),
    ("Encrypted content is not supported with this model.", "include"),
    # Google
    (
        "Invalid JSON payload received. Unknown name \"topK\" at 'generation_config':"
        " Cannot find field.",
        "generation_config.topK",
    ),
    ('Invalid JSON payload received. Unknown name "seed": Cannot find field.', "seed"),
    ("Thinking level is not supported for this model.", "Thinking_level"),
    ("Thinking budget is not supported for this model.", "Thinking_budget"),
    ("thinking_config is not supported for this model.", "thinking_config"),
    ("Penalty is not enabled for models/gemini-2.5-flash-lite", "Penalty"),
    # xAI, Groq, Ollama, whoever is written in Rust
    (
        "Model grok-4.20-0309-reasoning does not support parameter reasoningEffort.",
        "reasoningEffort",
    ),
    ("Argument not supported on this model: presencePenalty", "presencePenalty"),
    ("property 'reasoning_format' is unsupported", "reasoning_format"),
    ("reasoning_effort is not supported with this model", "reasoning_effort"),
    (
        "'messages.0' : for 'role:user' the following must be satisfied"
        "[('messages.0' : property 'cache_control' is unsupported)]",
        "cache_control",
    ),
    ('"llama3.2:1b" does not support thinking', "thinking"),
    (
        "Failed to deserialize the JSON body into the target type: unknown field `seed`,"
        " expected one of `model`",
        "seed",
    ),
]
VALUES = [
    ("invalid temperature: only 1 is allowed for this model", "temperature"),
    ("'temperature' does not support 0.7 with this model", "temperature"),
    # Refused beside another field, and to be learnt of no request without that.
    ("`temperature` and `top_p` cannot both be specified for this model. Use one.", "top_p"),
    ("Thinking may not be enabled when tool_choice forces tool use.", "Thinking"),
    ("`top_k` must be unset when thinking is enabled.", "top_k"),
    ("Unsupported value: 'temperature' does not support 0.2 with this model.", "temperature"),
    ("`temperature` may only be set to 1 when thinking is enabled.", "temperature"),
    ("`reasoning_effort` must be one of `none` or `default`", "reasoning_effort"),
    ("reasoning_effort must be one of none or default", "reasoning_effort"),
    (
        "output_config.effort 'max' is not supported when thinking is disabled",
        "output_config.effort",
    ),
    ("output_config.effort: Input should be 'low', 'medium' or 'high'", "output_config.effort"),
    ("This model does not support effort level 'max'.", "effort"),
    ('"thinking.type.enabled" is not supported for this model.', "thinking"),
    (
        "Invalid value at 'generation_config.thinking_config.thinking_level' (TYPE_ENUM), \"X\"",
        "generation_config.thinking_config.thinking_level",
    ),
    ("Thinking level MINIMAL is not supported for this model.", "Thinking_level"),
    ("The thinking budget (52428) is invalid.", "thinking_budget"),
    (
        "Failed to deserialize the JSON body into the target type: reasoning_effort: unknown"
        " variant `minimal`, expected one of `high`, `low`",
        "reasoning_effort",
    ),
    ("Validation error for `reasoning_effort`: expected one of 'low'", "reasoning_effort"),
    ('think value "low" is not supported for this model', "think"),
]
SAID = [(*it, False) for it in FIELDS] + [(*it, True) for it in VALUES]


def bodies_saying(message: str) -> Iterator[dict[str, Any]]:
    yield openai(None, None, message)
    yield {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    yield {"error": message}
    yield {"code": "invalid-argument", "error": message}
    yield {"error": {"message": "Provider returned error", "metadata": {"raw": message}}}


def test_by_a_sentence() -> None:
    wrong = [
        (body, word, is_value, found)
        for message, word, is_value in SAID
        for body in bodies_saying(message)
        if (found := refused(body)) != (word, is_value)
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_by_a_sentence_inside_a_stream() -> None:
    wrong = []
    for message, word, _ in SAID:
        body = {"type": "invalid_request_error", "message": message}
        found = failed_inside(read_complaint(body)).refused_field
        if found != word:
            wrong.append((message, word, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_only_where_the_message_begins_with_it() -> None:
    wrong = [
        (before, message, word, found)
        for before in ("The prompt says: ", "invalid text '", "x")
        for message, word, _ in SAID
        # a word that begins otherwise is another word
        if (found := refused(openai(None, None, before + message))[0]) not in (None, f"x{word}")
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "no", "input": 1}]},
        {
            "object": "error",
            "message": {
                "detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "no"}]
            },
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        },
        {
            "object": "error",
            "message": '{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"no"}]}',
            "code": "1000",
        },
        {
            "object": "Error",
            "detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "no"}],
            "message": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "no"}],
            "code": 3001,
        },
    ],
)
def test_by_its_place_in_the_body(body: Any) -> None:
    assert refused(body, 422) == ("seed", False)


@pytest.mark.parametrize("kind", ["enum", "literal_error"])
def test_a_value_by_its_place(kind: str) -> None:
    body = {"detail": [{"type": kind, "loc": ["body", "reasoning_effort"], "msg": "no"}]}
    assert refused(body, 422) == ("reasoning_effort", True)


def test_a_place_with_another_complaint_is_no_refusal() -> None:
    wrong = [
        (kind, loc, found)
        for kind in ["missing", "string_type", None, 7]
        for loc in [["body", "seed"], "seed", None, [["seed"]], []]
        if (found := refused({"detail": [{"type": kind, "loc": loc, "msg": "no"}]}, 422))
        != (None, False)
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_googles_violations() -> None:
    def google(*violations: Any) -> dict[str, Any]:
        details = [{"@type": "type.googleapis.com/google.rpc.BadRequest"}]
        details[0]["fieldViolations"] = list(violations)  # type: ignore[assignment]
        return {"error": {"code": 400, "message": "no", "details": details}}

    unknown = "Invalid JSON payload received. Unknown name \"topK\" at 'generation_config': "
    unknown += "Cannot find field."
    assert refused(google({"field": "generation_config", "description": unknown})) == (
        "generation_config.topK",
        False,
    )
    assert refused(google({"field": "generation_config.seed", "description": "bad"})) == (
        "generation_config.seed",
        True,
    )
    assert refused(google(None, {}, {"field": 7}, {"field": "a b"})) == (None, False)


@pytest.mark.parametrize(
    ("message", "names", "body", "field"),
    [
        (
            "This model does not support the effort parameter.",
            {"output_config.effort": "reasoning_effort"},
            {"output_config": {"effort": "high"}},
            "reasoning_effort",
        ),
        (
            "Model grok-4 does not support parameter reasoningEffort.",
            {"reasoning.effort": "reasoning_effort"},
            {"reasoning": {"effort": "high"}},
            "reasoning_effort",
        ),
        (
            "Model grok-4 does not support parameter reasoningEffort.",
            {},
            {"reasoning_effort": "high"},
            "reasoning_effort",
        ),
        (
            "Penalty is not enabled for models/x",
            {"generationConfig.frequencyPenalty": "frequency_penalty"},
            {"generationConfig": {"frequencyPenalty": 1}},
            "frequency_penalty",
        ),
        (
            "Thinking level is not supported for this model.",
            {"generationConfig.thinkingConfig.thinkingLevel": "reasoning_effort"},
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
            "reasoning_effort",
        ),
        ("`temperature` is deprecated for this model.", {}, {"top_p": 1}, None),
        ("`messages` is deprecated for this model.", {}, {"messages": []}, None),
    ],
)
def test_and_that_is_the_field_of_the_request(
    message: str, names: dict[str, str], body: dict[str, Any], field: str | None
) -> None:
    request = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=(),
        reasoning_effort="high",
        frequency_penalty=1.0,
        temperature=0.5,
    )
    failure = failed_status(400, {}, json.dumps({"error": message}).encode(), now=0.0)
    assert dispensable(failure, request, body, names) == field


def test_a_code_is_one_however_it_is_written() -> None:
    assert refused(openai("UNSUPPORTED_PARAMETER", "temperature")) == ("temperature", False)
