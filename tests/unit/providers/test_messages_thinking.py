"""A producer's own `thinking`, for each Claude in the form that it takes."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import Takes
from tests.unit.providers.conversations import CALLED, NESTED, USER
from tests.unit.providers.test_messages_takes import call, told

ADAPTIVE = {"type": "adaptive"}
BEGUN = (USER, {"role": "assistant", "content": "It is"})


def budget(tokens: Any = 2048) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


def test_a_form_that_the_model_takes_is_sent_as_it_is() -> None:
    cases = [
        ("claude-opus-5-5", ADAPTIVE, ADAPTIVE),
        ("claude-sonnet-4-6", ADAPTIVE, ADAPTIVE),
        ("claude-sonnet-4-6", budget(), budget()),
        ("claude-mythos-preview", budget(), budget()),
        ("claude-haiku-4-5-20251001", budget(), budget()),
        ("claude-3-7-sonnet-latest", budget(), budget()),
        ("claude-opus-5", {"type": "disabled"}, {"type": "disabled"}),
        ("claude-sonnet-5-5", {"type": "between_tools"}, {"type": "between_tools"}),
        (
            "claude-opus-4-8",
            {"type": "adaptive", "display": "summarized"},
            {"type": "adaptive", "display": "summarized"},
        ),
    ]
    wrong = []
    for model, asked, sent in cases:
        made = call(model, thinking=asked)
        found = ((made.body["thinking"], made.dropped), made.names["thinking"])
        if found != ((sent, ()), "thinking"):
            wrong.append((model, asked, sent, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_else_the_nearest_is_sent_and_reported() -> None:
    cases = [
        ("claude-opus-5-5", budget(), ADAPTIVE),
        ("claude-opus-4-7", budget(), ADAPTIVE),
        ("claude-fable-5-2", budget(10), ADAPTIVE),
        ("claude-opus-4-5", ADAPTIVE, budget(16_384)),
        ("claude-opus-4-1", ADAPTIVE, budget(16_000)),
        ("claude-haiku-4-5", budget(10), budget(1024)),
        ("claude-haiku-4-5", budget(10**9), budget(63_999)),
        ("claude-haiku-4-5", budget("many"), budget(16_384)),
        ("claude-sonnet-5-5", {"type": "disabled"}, {"type": "between_tools"}),
        ("claude-opus-5", {"type": "between_tools"}, {"type": "disabled"}),
        ("claude-haiku-5-5", {"type": "between_tools"}, {"type": "disabled"}),
    ]
    wrong = []
    for model, asked, sent in cases:
        made = call(model, thinking=asked)
        if not (
            made.body["thinking"] == sent
            and {line.split(":")[0] for line in made.dropped}
            <= {"thinking", "thinking.budget_tokens"}
            and made.dropped
        ):
            wrong.append((model, asked, sent, made))
    assert not wrong, "\n".join(map(repr, wrong))


def test_where_it_cannot_be_it_is_dropped_and_reported() -> None:
    cases = [
        ("claude-3-5-haiku-20241022", ADAPTIVE, {}),
        ("claude-3-opus-20240229", budget(), {}),
        ("claude-haiku-4-5", budget(), {"max_tokens": 1024}),
        ("claude-haiku-4-5", ADAPTIVE, {"max_tokens": 500}),
        ("claude-haiku-4-5", budget(), {"messages": BEGUN}),
        ("claude-sonnet-4-5", budget(), {"messages": CALLED}),
        ("claude-opus-4-6", ADAPTIVE, {"tools": (NESTED,), "tool_choice": "required"}),
        ("claude-opus-4-5", budget(), {"tools": (NESTED,), "tool_choice": "required"}),
        ("claude-opus-5-5", {"type": "news"}, {}),
        ("claude-opus-5-5", {}, {}),
        ("claude-opus-5-5", {"type": ["adaptive"]}, {}),
    ]
    wrong = []
    for model, asked, fields in cases:
        made = call(model, thinking=asked, **fields)
        if not ("thinking" not in made.body and "thinking" in told(made)):
            wrong.append((model, asked, fields, made))
    assert not wrong, "\n".join(map(repr, wrong))


def test_adaptive_thinking_needs_no_thinking_before_its_calls() -> None:
    assert call("claude-opus-4-8", thinking=ADAPTIVE, messages=CALLED).body["thinking"] == ADAPTIVE


def test_what_always_thinks_cannot_be_reported_not_to() -> None:
    made = call("claude-opus-5-5", thinking={"type": "disabled"})
    assert "thinking" not in made.body
    assert (made.body["output_config"], told(made)) == ({"effort": "low"}, ["thinking"])


@pytest.mark.parametrize("effort", ["xhigh", "max"])
@pytest.mark.parametrize(
    ("model", "off"),
    [
        ("claude-opus-5", "disabled"),
        ("claude-haiku-5-5", "disabled"),
        ("claude-sonnet-5-5", "between_tools"),
    ],
)
def test_without_thinking_an_effort_has_its_bounds(model: str, off: str, effort: str) -> None:
    made = call(model, thinking={"type": off}, reasoning_effort=effort)
    assert made.body["output_config"] == {"effort": "high"}
    assert told(made) == ["reasoning_effort"]
    low = call(model, thinking={"type": off}, reasoning_effort="low")
    assert (low.body["output_config"], low.dropped) == ({"effort": "low"}, ())


def test_both_of_it_are_sent() -> None:
    made = call("claude-opus-4-6", thinking=budget(), reasoning_effort="high")
    assert (made.body["thinking"], made.body["output_config"]) == (budget(), {"effort": "high"})
    assert made.dropped == ()


def test_thinking_that_is_asked_for_goes_before_an_effort_of_none() -> None:
    made = call("claude-opus-4-6", thinking=ADAPTIVE, reasoning_effort="none")
    assert (made.body["thinking"], told(made)) == (ADAPTIVE, ["reasoning_effort"])


def test_what_else_stands_in_it_is_reported() -> None:
    made = call(
        "claude-opus-4-8",
        thinking={"type": "adaptive", "display": "all", "budget_tokens": 7, "x": 1},
    )
    assert made.body["thinking"] == ADAPTIVE
    assert set(made.dropped) == {"thinking.budget_tokens", "thinking.x", "thinking.display"}


@pytest.mark.parametrize("effort", ["none", "low", "xhigh"])
def test_of_another_vendors_model_everything_is_sent(effort: Any) -> None:
    """A server that speaks as Anthropic does, such as llama.cpp."""
    made = call("some-model", reasoning_effort=effort, temperature=0.7, top_p=0.9)
    assert (made.body["temperature"], made.body["top_p"], made.dropped) == (0.7, 0.9, ())
    if effort == "none":
        assert made.body["thinking"] == {"type": "disabled"}
    else:
        assert made.body["output_config"] == {"effort": effort}


@pytest.mark.parametrize(
    ("efforts", "most", "sent"),
    [
        (("none", "low", "medium"), "high", "medium"),
        (("high", "low", "none"), "medium", "low"),
        (("xhigh", "max"), "high", None),
        (("max", "xhigh", "high", "medium", "low"), "high", "high"),
    ],
)
def test_without_thinking_the_config_may_name_any_efforts(
    efforts: Any, most: Any, sent: str | None
) -> None:
    takes = Takes(thinking=("disabled",), efforts=efforts, effort_without_thinking=most)
    request = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=(USER,),
        thinking={"type": "disabled"},
        reasoning_effort="max",
    )
    made = messages_call(request, "m", takes, stream=False, version="2023-06-01")
    assert isinstance(made, Prepared)
    assert made.body.get("output_config", {}).get("effort") == sent
    assert told(made) == ["reasoning_effort"]


@pytest.mark.parametrize("efforts", [("high", "low"), ("low", "high"), ("none", "high", "low")])
def test_the_least_effort_is_the_least_in_whatever_order(efforts: Any) -> None:
    takes = Takes(thinking=("adaptive",), thinks_unasked=True, efforts=efforts)
    fields: Any = {"messages": (USER,), "reasoning_effort": "none"}
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    made = messages_call(request, "m", takes, stream=False, version="2023-06-01")
    assert isinstance(made, Prepared)
    assert made.body["output_config"] == {"effort": "low"}
