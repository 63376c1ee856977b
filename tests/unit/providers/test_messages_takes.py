"""What each Claude takes, by whichever name, and that a request goes to it in the nearest form."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import NESTED, USER

ALWAYS_THINKING = (
    "claude-opus-5-5",
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-mythos-5-2",
    "claude-fable-5",
    "claude-opus-7",
    "claude-new-9-20290101",
)
WITHOUT_SAMPLERS = (
    *ALWAYS_THINKING,
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-mythos-preview",
    "claude-opus-4-8",
    "claude-opus-4-7-20260416",
    "us.anthropic.claude-opus-4-7-v1:0",
    "anthropic/claude-opus-4.8",
)
ONE_SAMPLER = (
    "claude-opus-4-6",
    "claude-sonnet-4-6@default",
    "claude-opus-4-5-20251101",
    "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "claude-haiku-4-5-20251001",
    "claude-opus-4-1",
    "claude-sonnet-4-0",
    "claude-4-opus-20250514",
)
BOTH_SAMPLERS = ("claude-3-7-sonnet-latest", "claude-3-5-haiku-20241022", "claude-3-opus-20240229")
NO_EFFORT = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-1", *BOTH_SAMPLERS)
TOLD_TO_THINK = ("claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-sonnet-4-6")
UNFORCED = (
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-fable-5-2",
    "claude-mythos-5-1",
    "us.anthropic.claude-opus-5-5",
    "claude-new-9",
)
FORCED = (
    "claude-haiku-5-5",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-fable-5",
    "claude-opus-4-8",
    "claude-opus-4-6",
    "claude-sonnet-4-5",
    "claude-3-5-haiku-latest",
)
UNBEGUN = (*WITHOUT_SAMPLERS, "claude-opus-4-6", "claude-sonnet-4-6-20260219")
BEGUN = ("claude-opus-4-5", "claude-haiku-4-5-20251001", "claude-opus-4-1", *BOTH_SAMPLERS)


def call(model: str, **fields: Any) -> Prepared:
    fields = {"messages": (USER,)} | fields
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    takes = model_takes("anthropic", model)
    made = messages_call(request, model, takes, stream=False, version="2023-06-01")
    assert isinstance(made, Prepared), made
    return made


def told(prepared: Prepared) -> list[str]:
    return [line.partition(":")[0] for line in prepared.dropped]


# -- samplers


def test_samplers_are_dropped_and_reported() -> None:
    wrong = []
    for model in WITHOUT_SAMPLERS:
        made = call(model, temperature=0.7, top_p=0.9, top_k=40)
        if not (
            not {"temperature", "top_p", "top_k"} & made.body.keys()
            and made.dropped
            == tuple(f"{name}: the model takes none" for name in ("temperature", "top_p", "top_k"))
        ):
            wrong.append((model, made))
    assert not wrong, "\n".join(map(repr, wrong))


def test_of_two_samplers_the_temperature_is_kept() -> None:
    wrong = []
    for model in ONE_SAMPLER:
        made = call(model, temperature=0.7, top_p=0.9, top_k=40)
        found = (
            (made.body["temperature"], made.body["top_k"], "top_p" in made.body),
            told(made),
            call(model, top_p=0.9).body["top_p"],
        )
        if found != ((0.7, 40, False), ["top_p"], 0.9):
            wrong.append((model, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("model", BOTH_SAMPLERS)
def test_older_models_take_both(model: str) -> None:
    made = call(model, temperature=1.4, top_p=0.9)
    assert (made.body["temperature"], made.body["top_p"]) == (1.0, 0.9)
    assert told(made) == ["temperature"]


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("claude-opus-4-6", {"reasoning_effort": "high"}),
        ("claude-sonnet-4-5", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("claude-3-7-sonnet-20250219", {"thinking": {"type": "adaptive"}}),
    ],
)
def test_no_sampler_goes_with_thinking(model: str, asked: dict[str, Any]) -> None:
    made = call(model, temperature=0.7, top_p=0.9, top_k=4, **asked)
    assert "thinking" in made.body
    assert not {"temperature", "top_p", "top_k"} & made.body.keys()
    assert {"temperature", "top_p", "top_k"} <= set(told(made))


# -- efforts


@pytest.mark.parametrize("model", ALWAYS_THINKING)
def test_no_effort_is_the_lowest_where_the_model_always_thinks(model: str) -> None:
    made = call(model, reasoning_effort="none")
    assert "thinking" not in made.body
    assert made.body["output_config"] == {"effort": "low"}
    assert made.dropped == ("reasoning_effort: the model always thinks, sent as effort low",)


@pytest.mark.parametrize(
    "model", ["claude-haiku-5-5", "claude-opus-5", "claude-sonnet-5", *TOLD_TO_THINK]
)
def test_no_effort_switches_thinking_off(model: str) -> None:
    made = call(model, reasoning_effort="none")
    assert (made.body["thinking"], made.dropped) == ({"type": "disabled"}, ())
    assert "output_config" not in made.body


def test_one_has_another_word_for_off() -> None:
    made = call("claude-sonnet-5-5", reasoning_effort="none")
    assert (made.body["thinking"], told(made)) == ({"type": "between_tools"}, ["reasoning_effort"])


@pytest.mark.parametrize("model", ["claude-3-5-sonnet-20241022", "claude-3-haiku-20240307"])
def test_a_model_that_cannot_think_need_not_be_reported_not_to(model: str) -> None:
    made = call(model, reasoning_effort="none")
    assert (made.body.keys() & {"thinking", "output_config"}, made.dropped) == (set(), ())


def test_efforts_are_dropped_and_reported_where_there_are_none() -> None:
    wrong = []
    for effort in ["minimal", "low", "high", "max"]:
        for model in NO_EFFORT:
            made = call(model, reasoning_effort=effort)
            if not (
                not {"thinking", "output_config"} & made.body.keys()
                and made.dropped == ("reasoning_effort: the model takes no effort",)
            ):
                wrong.append((effort, model, made))
    assert not wrong, "\n".join(map(repr, wrong))


def test_the_nearest_effort_is_sent_and_reported() -> None:
    cases = [
        ("claude-opus-5-5", "minimal", "low"),
        ("claude-sonnet-4-6", "minimal", "low"),
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-sonnet-4-6", "xhigh", "high"),
        ("claude-opus-4-5-20251101", "xhigh", "high"),
        ("claude-opus-4-5", "max", "high"),
        ("claude-mythos-preview", "xhigh", "high"),
        ("claude-opus-4-7", "xhigh", "xhigh"),
        ("claude-sonnet-5-5", "max", "max"),
        ("claude-haiku-5-5", "xhigh", "xhigh"),
    ]
    wrong = []
    for model, effort, sent in cases:
        made = call(model, reasoning_effort=effort)
        found = (made.body["output_config"], told(made), made.names["output_config.effort"])
        expected = ({"effort": sent}, ["reasoning_effort"] * (sent != effort), "reasoning_effort")
        if found != expected:
            wrong.append((model, effort, sent, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("model", TOLD_TO_THINK)
def test_an_effort_is_told_to_think_where_it_would_not(model: str) -> None:
    made = call(model, reasoning_effort="medium")
    assert made.body["thinking"] == {"type": "adaptive"}
    assert made.names["thinking"] == "reasoning_effort"


def test_an_effort_alone_is_enough_elsewhere() -> None:
    cases = [*ALWAYS_THINKING, "claude-opus-5", "claude-sonnet-5-5", "claude-opus-4-5"]
    wrong = []
    for model in cases:
        made = call(model, reasoning_effort="medium")
        if "thinking" in made.body:
            wrong.append((model, made.body["thinking"]))
    assert not wrong, "\n".join(map(repr, wrong))


# -- tools, prefill, stop


def test_a_call_that_cannot_be_forced_is_asked_for() -> None:
    wrong = []
    for choice in ["required", {"type": "function", "name": "weather"}]:
        for model in UNFORCED:
            made = call(model, tools=(NESTED,), tool_choice=choice, parallel_tool_calls=False)
            found = (made.body["tool_choice"], made.dropped)
            if found != (
                {"type": "auto", "disable_parallel_tool_use": True},
                ("tool_choice: sent as auto, the model cannot be made to call",),
            ):
                wrong.append((choice, model, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_call_is_forced_where_it_can_be() -> None:
    wrong = []
    for model in FORCED:
        made = call(model, tools=(NESTED,), tool_choice="required")
        found = (made.body["tool_choice"], told(made)[1:])
        if found != ({"type": "any"}, []):
            wrong.append((model, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("model", TOLD_TO_THINK)
def test_a_forced_call_goes_before_thinking(model: str) -> None:
    made = call(model, tools=(NESTED,), tool_choice="required", reasoning_effort="high")
    assert "thinking" not in made.body
    assert made.body["output_config"] == {"effort": "high"}
    assert "reasoning_effort: sent without thinking, as a call is forced" in made.dropped


def test_an_answer_begun_is_asked_to_go_on() -> None:
    begun = {"role": "assistant", "content": "It is"}
    wrong = []
    for model in UNBEGUN:
        made = call(model, messages=(USER, begun))
        said, last = made.body["messages"][-2:]
        paths = [line.partition(":")[0] for line in made.dropped]
        if (said, last["role"], paths) != (begun, "user", ["messages[1]"]):
            wrong.append((model, said, last, made.dropped))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("model", BEGUN)
def test_an_answer_begun_stays_where_the_model_takes_it(model: str) -> None:
    made = call(model, messages=(USER, {"role": "assistant", "content": "It is"}))
    assert made.body["messages"][-1]["role"] == "assistant"
    assert made.dropped == ()


def test_stops_of_white_space_alone_are_dropped_and_reported() -> None:
    wrong = []
    for model in [*WITHOUT_SAMPLERS, *ONE_SAMPLER, *BOTH_SAMPLERS]:
        made = call(model, stop=("\n", "END", " \t", ""))
        if not (
            made.body["stop_sequences"] == ["END"]
            and told(made) == ["stop[0]", "stop[2]", "stop[3]"]
            and "stop_sequences" not in call(model, stop=("\n",)).body
        ):
            wrong.append((model, made))
    assert not wrong, "\n".join(map(repr, wrong))


# -- max_tokens


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("claude-opus-5-5", 128_000),
        ("claude-haiku-5-5", 128_000),
        ("claude-opus-4-6", 128_000),
        ("claude-sonnet-4-5-20250929", 64_000),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-sonnet-4", 64_000),
        ("claude-3-5-sonnet-20241022", 8192),
        ("claude-3-haiku-20240307", 4096),
        ("some-other-model", None),
    ],
)
def test_the_models_own_limit_is_the_default_and_the_most(model: str, most: int | None) -> None:
    assert call(model).body["max_tokens"] == (most or 8192)
    above = call(model, max_tokens=500_000)
    assert above.body["max_tokens"] == (most or 500_000)
    assert told(above) == ["max_tokens"] * (most is not None)


def test_a_setting_goes_before_the_models_limit_but_not_beyond_it() -> None:
    def sent(setting: int, **fields: Any) -> Any:
        request = LLMRequest(request_id="r", complexity="simple", messages=(USER,), **fields)
        takes = model_takes("anthropic", "claude-opus-4-1")
        made = messages_call(
            request, "m", takes, stream=False, version="2023-06-01", max_tokens=setting
        )
        assert isinstance(made, Prepared)
        return made.body["max_tokens"], made.dropped

    assert sent(1000) == (1000, ())
    assert sent(99_000) == (32_000, ())
    assert sent(1000, max_tokens=2000) == (2000, ())
