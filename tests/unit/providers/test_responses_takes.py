"""What of a request a model takes is sent to the Responses API; the rest is told."""

import json
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import FLAT, SCHEMA
from tests.unit.providers.responses_calls import SAID, USER, body, call, told

NEAREST = [
    ("gpt-5", "none", "minimal", True),
    ("gpt-5", "minimal", "minimal", False),
    ("gpt-5-mini", "xhigh", "high", True),
    ("gpt-5-pro", "low", "high", True),
    ("gpt-5-codex", "minimal", "low", True),
    ("gpt-5.1", "none", "none", False),
    ("gpt-5.1", "minimal", "none", True),
    ("gpt-5.1", "xhigh", "high", True),
    ("gpt-5.1-codex-max", "xhigh", "xhigh", False),
    ("gpt-5.1-chat-latest", "high", "medium", True),
    ("chat-latest", "high", "medium", True),
    ("gpt-5.2", "xhigh", "xhigh", False),
    ("gpt-5.2", "max", "xhigh", True),
    ("gpt-5.2-pro", "low", "medium", True),
    ("gpt-5.4-mini-2026-03-17", "none", "none", False),
    ("gpt-5.5", "max", "xhigh", True),
    ("gpt-5.5-pro", "none", "medium", True),
    ("gpt-5.6-terra", "max", "max", False),
    ("gpt-6-luna", "none", "none", False),
    ("gpt-6.1-sol", "none", "low", True),
    ("gpt-6-astra", "max", "max", False),
    ("gpt-6.2-sol", "minimal", "low", True),
    ("gpt-7", "none", "low", True),
    ("gpt-10-nova", "max", "max", False),
    ("o3", "max", "high", True),
    ("o4-mini-deep-research", "high", "medium", True),
    ("ft:o4-mini-2025-04-16:team::x1", "xhigh", "high", True),
    ("openai/o4-mini", "low", "low", False),
    ("gpt-4o", "high", None, True),
    ("gpt-4o", "none", None, False),
    ("gpt-4.1-nano", "low", None, True),
    ("gpt-5-chat-latest", "low", None, True),
    ("chatgpt-4o-latest", "low", None, True),
    ("future-model-9", "max", "max", False),
]


def test_efforts_are_the_nearest_that_the_model_takes() -> None:
    wrong = []
    for model, asked, sent, dropped in NEAREST:
        prepared = call(model, reasoning_effort=asked)
        found = (prepared.body.get("reasoning"), told(prepared))
        expected = (
            None if sent is None else {"effort": sent},
            ("reasoning_effort",) if dropped else (),
        )
        if found != expected:
            wrong.append((model, asked, sent, dropped, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


SAMPLERS_TAKEN = [
    ("gpt-4o", None, True),
    ("gpt-4.1", "high", True),
    ("gpt-5", None, False),
    ("gpt-5", "minimal", False),
    ("gpt-5.1", None, True),
    ("gpt-5.1", "none", True),
    ("gpt-5.1", "low", False),
    ("gpt-5.2", None, True),
    ("gpt-5.2-codex", None, False),
    ("gpt-5.4-nano", None, True),
    ("gpt-5.4", "medium", False),
    ("gpt-5.5", None, False),
    ("gpt-5.5", "none", True),
    ("gpt-5.6-sol", "none", True),
    ("gpt-6-luna", "none", True),
    ("gpt-6.1-sol", "none", False),
    ("gpt-5.3-chat-latest", None, False),
    ("gpt-5-chat-latest", None, True),
    ("gpt-7", None, False),
    ("o3", None, False),
    ("ft:o4-mini-2025-04-16:team::x1", None, False),
    ("ft:gpt-4o-2024-08-06:team::x1", None, True),
    ("gpt-4o-search-preview", None, False),
    ("future-model-9", None, True),
    ("future-model-9", "high", True),
]


def test_samplers_go_where_the_model_takes_them() -> None:
    samplers = {"temperature": 0.7, "top_p": 0.9}
    wrong = []
    for model, effort, taken in SAMPLERS_TAKEN:
        prepared = call(model, **samplers, reasoning_effort=effort)
        sent = {name: value for name, value in prepared.body.items() if name in samplers}
        dropped = [it for it in told(prepared) if it in samplers]
        if (sent, dropped) != ((samplers, []) if taken else ({}, [*samplers])):
            wrong.append((model, effort, taken, sent, dropped))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [("gpt-4o", 100_000, 16_384), ("o3", 200_000, 100_000), ("gpt-4o", 9_000, 9_000)],
)
def test_a_limit_beyond_the_most_is_the_most_and_reported(
    model: str, asked: int, sent: int
) -> None:
    prepared = call(model, max_tokens=asked)
    assert prepared.body["max_output_tokens"] == sent
    assert told(prepared) == (("max_tokens",) if sent != asked else ())
    assert call("future-model-9", max_tokens=10**6).body["max_output_tokens"] == 10**6


def test_fields_that_the_api_has_go_under_its_names() -> None:
    sent = body(
        "gpt-6.1-sol",
        reasoning_effort="high",
        reasoning_summary="auto",
        verbosity="low",
        include=("web_search_call.results",),
        prompt_cache_key="k",
        service_tier="flex",
        user="u",
        metadata={"a": "b"},
    )
    assert sent == {
        "model": "gpt-6.1-sol",
        "input": [SAID],
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"verbosity": "low"},
        "include": ["web_search_call.results"],
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "safety_identifier": "u",
        "metadata": {"a": "b"},
    }


@pytest.mark.parametrize(
    "name",
    [
        "reasoning.effort",
        "reasoning.summary",
        "text.verbosity",
        "safety_identifier",
        "temperature",
        "service_tier",
        "include",
    ],
)
def test_a_refused_optional_field_is_known_by_the_apis_name_for_it(name: str) -> None:
    assert call().names.get(name, name) in OPTIONAL_FIELDS


def test_what_only_other_apis_have_is_reported() -> None:
    prepared = call(
        top_k=3,
        presence_penalty=0.5,
        frequency_penalty=0.5,
        seed=1,
        stop=("x",),
        cache_control={"type": "ephemeral"},
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    assert prepared.body == {"model": "gpt-4o-mini", "input": [SAID]}
    names = [
        "stop",
        "seed",
        "top_k",
        "presence_penalty",
        "frequency_penalty",
        "cache_control",
        "thinking",
    ]
    assert sorted(told(prepared)) == sorted(names)


@pytest.mark.parametrize(
    ("model", "sent", "dropped"),
    [("gpt-5.1", "none", ()), ("gpt-5", "minimal", ("thinking",)), ("gpt-4o", None, ())],
)
def test_thinking_switched_off_is_an_effort(model: str, sent: Any, dropped: Any) -> None:
    prepared = call(model, thinking={"type": "disabled"})
    assert prepared.body.get("reasoning", {}).get("effort") == sent
    assert told(prepared) == dropped


@pytest.mark.parametrize(
    ("name", "sent_as"),
    [("user", "safety_identifier"), ("prompt_cache_key", "prompt_cache_key")],
)
def test_a_key_that_is_too_long_is_a_digest_and_reported(name: str, sent_as: str) -> None:
    def keyed(text: str) -> Prepared:
        given: dict[str, Any] = {name: text}
        return call(**given)

    short, long = "u" * 64, "u" * 65
    assert keyed(short).body[sent_as] == short
    digest = keyed(long).body[sent_as]
    assert (len(digest), told(keyed(long))) == (64, (name,))
    assert keyed(long).body[sent_as] == digest
    assert keyed(long + "u").body[sent_as] != digest


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1", "o3", "gpt-5-chat-latest"])
def test_verbosity_is_for_those_that_take_it(model: str) -> None:
    prepared = call(model, verbosity="low")
    assert ("text" in prepared.body, told(prepared)) == (False, ("verbosity",))


@pytest.mark.parametrize(
    ("model", "sent"), [("o4-mini", False), ("o3", False), ("gpt-5", True), ("gpt-4o", True)]
)
def test_parallel_calls_are_a_choice_where_the_model_has_it(model: str, sent: bool) -> None:
    prepared = call(model, tools=(FLAT,), parallel_tool_calls=False)
    assert prepared.body.get("parallel_tool_calls") == (False if sent else None)
    assert told(prepared) == (() if sent else ("parallel_tool_calls",))


@pytest.mark.parametrize(
    ("model", "fields", "asked"),
    [
        ("gpt-5", {"tools": (FLAT,)}, True),
        ("o3", {"store": False}, True),
        ("gpt-7", {"tools": (FLAT,)}, True),
        ("gpt-5", {}, False),
        ("gpt-5", {"tools": (FLAT,), "previous_response_id": "resp_1"}, False),
        ("gpt-4o", {"tools": (FLAT,), "store": False}, False),
        ("gpt-5-chat-latest", {"tools": (FLAT,)}, False),
        # Of a model that nobody knows it may not be asked: the producer did not, so could not say.
        ("future-model-9", {"tools": (FLAT,)}, False),
    ],
)
def test_encrypted_thoughts_are_asked_for_where_they_may_be_wanted_back(
    model: str, fields: dict[str, Any], asked: bool
) -> None:
    assert body(model, **fields).get("include") == (
        ["reasoning.encrypted_content"] if asked else None
    )
    has_none = model in ("gpt-4o", "gpt-5-chat-latest")
    told = body(model, include=("reasoning.encrypted_content",), **fields).get("include")
    assert told == (None if has_none else ["reasoning.encrypted_content"])


def test_a_schema_the_model_does_not_keep_to_is_held_against_the_answer_on_our_side() -> None:
    takes = model_takes("openai/responses", "m").model_copy(update={"outputs": ("json_object",)})
    wanted = {"type": "json_schema", "schema": SCHEMA}
    request = LLMRequest(
        request_id="r", complexity="simple", messages=(USER,), response_format=wanted
    )
    prepared = responses_call(request, "m", takes, stream=False)
    assert isinstance(prepared, Prepared)
    assert prepared.body["text"] == {"format": {"type": "json_object"}}
    assert (prepared.check, told(prepared)) == (SCHEMA, ("response_format",))


def test_a_function_that_does_not_say_what_it_is_is_one() -> None:
    [tool] = body(tools=({"name": "look", "parameters": SCHEMA},))["tools"]
    assert tool == {"type": "function", "name": "look", "parameters": SCHEMA}


def test_metadata_is_text_and_no_more_than_the_api_keeps() -> None:
    given = {"a": "x", "b": 7, "c": {"d": [1]}, "k" * 65: "x", "long": "v" * 513}
    prepared = call(metadata=given)
    assert prepared.body["metadata"] == {"a": "x", "b": "7", "c": '{"d":[1]}'}
    assert told(prepared) == ("metadata." + "k" * 64, "metadata.long")
    prepared = call(metadata={f"k{n}": "v" for n in range(20)})
    assert len(prepared.body["metadata"]) == 16
    assert told(prepared) == tuple(f"metadata.k{n}" for n in range(16, 20))


@pytest.mark.parametrize(
    ("said", "added"), [("Hi", True), ("As JSON, please.", False), ("as json", False)]
)
def test_json_of_no_schema_is_asked_for_in_words_too(said: str, added: bool) -> None:
    wanted = {"type": "json_object"}
    messages = ({"role": "user", "content": said},)
    for given in (None, said):
        prepared = call(messages=messages, input=given, response_format=wanted)
        assert prepared.body["text"] == {"format": wanted}
        spoken_of = json.dumps(prepared.body["input"]).lower()
        assert "json" in spoken_of
        assert told(prepared) == (("response_format",) if added else ())


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "gpt-3.5-turbo"])
def test_thoughts_are_not_asked_of_a_model_that_has_none(model: str) -> None:
    asked = ("reasoning.encrypted_content", "web_search_call.results")
    prepared = call(model, include=asked)
    assert prepared.body["include"] == ["web_search_call.results"]
    assert [it.partition(":")[0] for it in prepared.dropped] == ["include"]
    assert "include" not in call(model, include=asked[:1]).body
    assert body("gpt-5.2", include=asked)["include"] == list(asked)
