"""The comparison with others, as far as it can be held without them: LiteLLM is not installed here.

`make differential` is the run itself.
"""

import importlib
import json
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import differential
from differential import (
    official_forms,
    official_gemini,
    official_messages,
    official_responses,
    ours,
)
from differential.answers import compared, served
from differential.findings import PARTS, Accepted, Finding, Verdict, read_accepted
from differential.models import BY_KEY, MODELS, Api
from differential.normal import ABSENT, Difference, differences, normal
from differential.readings import FAILED
from differential.requests import CASES
from nexus_actors.contract.request import LLMRequest

HELLO = {"role": "user", "content": "Hello."}
PART = {"type": "text", "text": "Hello."}
FUNCTION = {"name": "f", "parameters": {"type": "object"}}


@pytest.mark.parametrize("name", [it.name for it in pkgutil.iter_modules(differential.__path__)])
def test_it_is_imported_without_those_it_compares_with(name: str) -> None:
    if name != "__main__":
        importlib.import_module(f"differential.{name}")


def test_there_are_enough_of_each() -> None:
    assert len(CASES) >= 60
    assert len({model.vendor for model in MODELS}) >= 9
    assert sum(len(it) for it in served("answers").values()) >= 80
    assert sum(len(it) for it in served("streams").values()) >= 50


@pytest.mark.parametrize("name", CASES)
def test_a_request_is_one_that_producers_send(name: str) -> None:
    for model in MODELS:
        assert isinstance(ours.request(model, CASES[name].fields), LLMRequest)
    assert "messages" in CASES[name].chat


def test_a_vendors_form_belongs_to_a_request() -> None:
    for forms in (official_gemini.FORMS, official_messages.FORMS, official_responses.FORMS):
        assert set(forms) <= set(CASES)


@pytest.mark.parametrize("model", MODELS, ids=lambda it: it.key)
def test_a_vendors_form_is_known_for_most_requests(model: Any) -> None:
    forms = [name for name in CASES if official_forms.official(model, name) is not None]
    assert len(forms) >= 40 or model.kind == "openai_compatible"


@pytest.mark.parametrize("part", ["answers", "streams"])
def test_an_answer_belongs_to_a_model(part: str) -> None:
    for key, answers in served(part).items():
        assert key in BY_KEY
        for answer in answers.values():
            assert isinstance(answer.body, str) == (part == "streams")
            assert json.dumps(answer.body)


def chat(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages or (HELLO,)), **more}


EQUAL: list[tuple[Api, Mapping[str, Any], Mapping[str, Any]]] = [
    ("chat", chat(), chat({"role": "user", "content": [PART]})),
    ("chat", chat(), chat(stream=False, n=1, temperature=None)),
    ("chat", chat(stop="x"), chat(stop=["x"])),
    ("chat", chat(), chat(tool_choice="auto", parallel_tool_calls=True)),
    (
        "chat",
        chat({"role": "assistant", "tool_calls": [{"function": {"arguments": '{"a":1}'}}]}),
        chat(
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "function": {"arguments": '{"a": 1}'}}],
            }
        ),
    ),
    (
        "responses",
        {"input": "Hello."},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello."}]}]},
    ),
    ("messages", chat(system="x"), chat(system=[{"type": "text", "text": "x"}])),
    ("messages", chat(tools=[FUNCTION]), chat(tools=[{"type": "custom", **FUNCTION}])),
    (
        "generate_content",
        {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"maxOutputTokens": 1}},
        {
            "contents": [{"role": "user", "parts": [{"text": "x"}]}],
            "generation_config": {"max_output_tokens": 1},
        },
    ),
]
UNLIKE: list[tuple[Api, Mapping[str, Any], Mapping[str, Any], str]] = [
    ("chat", chat(temperature=1), chat(), "temperature"),
    ("chat", chat(max_tokens=1), chat(max_completion_tokens=1), "max_completion_tokens"),
    ("chat", chat(), chat({"role": "user", "content": [PART, PART]}), "messages.0.content"),
    ("chat", chat(), chat(HELLO, HELLO), "messages.1"),
    ("chat", chat(seed=1), chat(seed=True), "seed"),
    ("messages", chat(tool_choice={"type": "any"}), chat(), "tool_choice"),
    (
        "messages",
        chat(system="x"),
        chat(system=[{"type": "text", "text": "x", "cache_control": {}}]),
        "system",
    ),
    (
        "generate_content",  # the keys of arguments are the caller's own
        {"contents": [{"parts": [{"functionCall": {"args": {"a_b": 1}}}]}]},
        {"contents": [{"parts": [{"functionCall": {"args": {"aB": 1}}}]}]},
        "contents.0.parts.0.functionCall.args.aB",
    ),
]


@pytest.mark.parametrize(("api", "one", "other"), EQUAL)
def test_two_spellings_of_one_meaning_are_no_difference(
    api: Api, one: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    assert list(differences(normal(api, one), normal(api, other))) == []


@pytest.mark.parametrize(("api", "one", "other", "path"), UNLIKE)
def test_two_meanings_are_a_difference(
    api: Api, one: Mapping[str, Any], other: Mapping[str, Any], path: str
) -> None:
    found = list(differences(normal(api, one), normal(api, other)))
    assert path in {it.path for it in found}


def test_a_failure_is_one_difference_whatever_the_answer_was() -> None:
    answer = {"text": "Rain.", "calls": [], "finish": "stop"}
    assert compared(FAILED, answer) == (Difference("failed", True, False),)
    assert compared(FAILED, FAILED) == ()


# ------------------------------------------------------------------ what is accepted


def finding(*found: Difference) -> Finding:
    return Finding("bodies", "v", "v/m-1", "text", "litellm", found)


SEED = Difference("tools.0.seed", ABSENT, [1])


@pytest.mark.parametrize(
    ("entry", "fits"),
    [
        (Accepted("bodies", "why"), True),
        (Accepted("answers", "why"), False),
        (Accepted("bodies", "why", models=("x/*", "v/*")), True),
        (Accepted("bodies", "why", models=("m-1",)), False),
        (Accepted("bodies", "why", cases=("text",), paths=("tools.*.seed",)), True),
        (Accepted("bodies", "why", against=("sdk",)), False),
        (Accepted("bodies", "why", ours=("absent",), theirs=("[1]",)), True),
        (Accepted("bodies", "why", ours=("null",)), False),
        (Accepted("bodies", "why", told=True), False),
    ],
)
def test_an_entry_is_for_what_all_its_lists_name(entry: Accepted, fits: bool) -> None:
    assert entry.fits(finding(SEED), SEED) is fits


def test_an_entry_may_ask_that_ours_said_so() -> None:
    said = replace(finding(SEED), told=("seed",))
    assert Accepted("bodies", "why", told=True).fits(said, SEED)


def test_what_no_entry_names_is_unexplained_and_an_entry_without_use_is_reported() -> None:
    known = Accepted("bodies", "why", paths=("tools.*",))
    other = Accepted("bodies", "why", paths=("user",))
    verdict = Verdict((known, other))
    verdict.add(finding())
    verdict.add(finding(SEED))
    verdict.add(finding(SEED, Difference("n", 1, 2)))
    assert [it.path for _, it in verdict.unexplained] == ["n"]
    assert verdict.unused(["bodies"]) == [other]
    assert verdict.unused(["costs"]) == []
    assert verdict.rows == {
        ("bodies", "v", "litellm"): {"agree": 1, "accepted": 1, "unexplained": 1}
    }


def test_each_accepted_difference_has_its_reason() -> None:
    for entry in read_accepted():
        assert entry.part in PARTS
        assert len(entry.reason) > 10
        # one that would fit everything explains nothing
        assert any(it != ("*",) for it in (entry.models, entry.cases, entry.paths))


def test_an_entry_with_a_mistyped_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text('[[accepted]]\npart = "bodies"\nreason = "why"\npath = ["x"]\n')
    with pytest.raises(TypeError, match="path"):
        read_accepted(path)
