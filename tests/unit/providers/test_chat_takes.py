"""What is sent, and what is told, of a request by what the model takes."""

from typing import Any, get_args

import pytest

from nexus_actors.contract.request import ReasoningEffort
from nexus_actors.providers.apis.chat.dialect import OPENAI, Dialect
from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS
from nexus_actors.providers.takes import EFFORTS, Takes, model_takes
from tests.unit.providers.chat_by_takes import call, dropped_names, rest
from tests.unit.providers.conversations import NESTED, SCHEMA, USER

DEEPSEEK = Dialect(thinking=True)


NOT_TAKEN = [
    (Takes(), {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}, []),
    (
        Takes(samplers="one"),
        {"temperature": 0.5, "top_p": 0.9},
        {"temperature": 0.5},
        ["top_p"],
    ),
    (Takes(samplers="one"), {"top_p": 0.9}, {"top_p": 0.9}, []),
    (Takes(samplers="one"), {"temperature": 0.0}, {"temperature": 0.0}, []),
    (
        Takes(samplers="none"),
        {"temperature": 0.0, "top_p": 1.0},
        {},
        ["temperature", "top_p"],
    ),
    (
        Takes(samplers="idle", default_effort="medium"),
        {"temperature": 0.5},
        {},
        ["temperature"],
    ),
    (
        Takes(samplers="idle", default_effort="none"),
        {"temperature": 0.5},
        {"temperature": 0.5},
        [],
    ),
    (Takes(samplers="idle"), {"temperature": 0.5}, {"temperature": 0.5}, []),
    (
        Takes(samplers="idle", default_effort="medium"),
        {"temperature": 0.5, "reasoning_effort": "none"},
        {"temperature": 0.5, "reasoning_effort": "none"},
        [],
    ),
    (
        Takes(samplers="idle", default_effort="none"),
        {"temperature": 0.5, "reasoning_effort": "low"},
        {"reasoning_effort": "low"},
        ["temperature"],
    ),
    (  # an effort that is not taken leaves the model thinking
        Takes(samplers="idle", default_effort="medium", efforts=("low", "medium")),
        {"temperature": 0.5, "reasoning_effort": "none"},
        {"reasoning_effort": "low"},
        ["reasoning_effort", "temperature"],
    ),
    (Takes(top_k=False), {"top_k": 40}, {}, ["top_k"]),
    (Takes(), {"top_k": 40}, {"top_k": 40}, []),
    (
        Takes(penalties=False),
        {"presence_penalty": 0.5, "frequency_penalty": 0.0},
        {},
        ["presence_penalty", "frequency_penalty"],
    ),
    (Takes(), {"presence_penalty": 0.5}, {"presence_penalty": 0.5}, []),
    (Takes(seed=False), {"seed": 0}, {}, ["seed"]),
    (Takes(stop=False), {"stop": ("A",)}, {}, ["stop"]),
    (
        Takes(blank_stop=False),
        {"stop": ("\n", "A", " \t")},
        {"stop": ["A"]},
        ["stop[0]", "stop[2]"],
    ),
    (Takes(blank_stop=False), {"stop": ("\n",)}, {}, ["stop[0]"]),
    (Takes(most_stops=2), {"stop": ("A", "B", "C")}, {"stop": ["A", "B"]}, ["stop"]),
    (Takes(verbosity=False), {"verbosity": "low"}, {}, ["verbosity"]),
    (Takes(), {"verbosity": "low"}, {"verbosity": "low"}, []),
    (Takes(limit="max_completion_tokens"), {"max_tokens": 9}, {"max_completion_tokens": 9}, []),
]


def test_what_is_not_taken_is_left_out_and_reported() -> None:
    wrong = []
    for takes, fields, sent, dropped in NOT_TAKEN:
        prepared = call(takes, **fields)
        found = (rest(prepared), dropped_names(prepared))
        if found != (sent, dropped):
            wrong.append((takes, fields, sent, dropped, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    "efforts", [EFFORTS, (), ("low", "medium", "high"), ("none", "high"), ("max",)]
)
def test_an_effort_goes_as_the_nearest_that_is_taken(efforts: tuple[ReasoningEffort, ...]) -> None:
    wrong = []
    for effort in get_args(ReasoningEffort):
        prepared = call(Takes(efforts=efforts), reasoning_effort=effort)
        found = (rest(prepared), prepared.dropped)
        sent = prepared.body.get("reasoning_effort")
        expected: tuple[object, object] = ({}, ("reasoning_effort",))
        if effort in efforts:
            expected = ({"reasoning_effort": effort}, ())
        elif sent in efforts:
            told = f"reasoning_effort: sent as {sent}, the nearest that is taken"
            expected = ({"reasoning_effort": sent}, (told,))
        if found != expected or (sent is None) != (not efforts):
            wrong.append((effort, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("effort", "sent"),
    [("none", "none"), ("low", "default"), ("medium", "default"), ("max", "default")],
)
def test_an_effort_goes_by_the_servers_own_word(effort: str, sent: str) -> None:
    takes = model_takes("groq", "qwen/qwen3-32b")
    assert call(takes, reasoning_effort=effort).body["reasoning_effort"] == sent


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, {}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        (
            {"reasoning_effort": "max"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "max"},
        ),
        (  # which its documentation has it map itself
            {"reasoning_effort": "medium"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "medium"},
        ),
        ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        ({"thinking": {"type": "enabled"}}, {"thinking": {"type": "enabled"}}),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "enabled"}}),
        (
            {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
        ),
    ],
)
def test_deepseek_thinks_by_a_switch_of_its_own(
    fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    prepared = call(model_takes("deepseek", "deepseek-v4-pro"), DEEPSEEK, **fields)
    assert rest(prepared) == sent
    if "thinking" in sent:
        field = "reasoning_effort" if "reasoning_effort" in fields else "thinking"
        assert prepared.names["thinking"] == field


def test_a_budget_of_thinking_is_reported_where_there_is_none() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2048}
    takes = model_takes("deepseek", "deepseek-v4-pro")
    assert call(takes, DEEPSEEK, thinking=thinking).dropped == ("thinking.budget_tokens",)
    assert call(Takes(), thinking=thinking).dropped == ("thinking",)


FLAT_SCHEMA = {"type": "json_schema", "name": "place", "schema": SCHEMA}
NESTED_SCHEMA = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}


@pytest.mark.parametrize("wanted", [FLAT_SCHEMA, NESTED_SCHEMA])
@pytest.mark.parametrize(
    ("outputs", "sent"),
    [
        (("json_object",), {"response_format": {"type": "json_object"}}),
        ((), {}),
    ],
)
def test_a_schema_that_is_not_taken_is_reported_in_words_and_held_against_on_our_side(
    wanted: dict[str, Any], outputs: Any, sent: dict[str, Any]
) -> None:
    prepared = call(Takes(outputs=outputs), response_format=wanted)
    assert rest(prepared) == sent
    assert prepared.check == SCHEMA
    assert dropped_names(prepared) == ["response_format"]
    said = prepared.body["messages"][0]
    assert said["role"] == "system"
    assert '"city"' in said["content"]
    assert "JSON" in said["content"]
    assert prepared.body["messages"][1:] == [USER]


def test_a_schema_that_is_taken_is_the_servers_business() -> None:
    prepared = call(Takes(), response_format=FLAT_SCHEMA)
    assert (prepared.check, prepared.dropped) == (None, ())
    assert prepared.body["messages"] == [USER]
    assert prepared.body["response_format"] == NESTED_SCHEMA


@pytest.mark.parametrize(
    ("messages", "first"),
    [
        ((USER,), "Answer with a JSON object."),
        (
            ({"role": "system", "content": "Be brief."}, USER),
            "Be brief.\n\nAnswer with a JSON object.",
        ),
        (({"role": "system", "content": "Say it in JSON."}, USER), "Say it in JSON."),
        (
            ({"role": "user", "content": [{"type": "text", "text": "As json, please"}]},),
            "As json, please",
        ),
    ],
)
def test_json_is_asked_for_by_its_name(messages: Any, first: str) -> None:
    """Servers refuse `json_object` in a conversation that never says so."""
    prepared = call(Takes(), messages=messages, response_format={"type": "json_object"})
    assert prepared.body["messages"][0]["content"] == first
    assert prepared.body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("name", ["metadata", "prompt_cache_key", "service_tier", "user"])
def test_a_field_of_the_servers_is_sent_or_reported(name: str) -> None:
    value = {"a": "b"} if name == "metadata" else "x"
    with_it = Dialect(extras=frozenset({name}))
    assert rest(call(Takes(), with_it, **{name: value})) == {name: value}
    without = call(Takes(), Dialect(extras=frozenset()), **{name: value})
    assert (rest(without), without.dropped) == ({}, (name,))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("include", ("reasoning.encrypted_content",)),
        ("reasoning_summary", "auto"),
        ("thinking", {"type": "enabled"}),
        ("cache_control", {"type": "ephemeral"}),
        ("previous_response_id", "resp_1"),
        ("store", False),
        ("mcp_servers", ({"server_label": "a", "server_url": "https://a.example"},)),
    ],
)
def test_what_other_apis_have_is_reported(name: str, value: Any) -> None:
    prepared = call(Takes(), **{name: value})
    assert (rest(prepared), prepared.dropped) == ({}, (name,))


def test_every_optional_field_is_sent_or_reported() -> None:
    """None is lost in silence, whatever the server."""
    values: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.5,
        "top_k": 5,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "seed": 5,
        "reasoning_effort": "low",
        "reasoning_summary": "auto",
        "thinking": {"type": "enabled"},
        "verbosity": "low",
        "parallel_tool_calls": True,
        "include": ("x",),
        "cache_control": {"type": "ephemeral"},
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "user": "u",
        "metadata": {"a": "b"},
    }
    assert values.keys() == OPTIONAL_FIELDS.keys()
    nothing = Takes(
        samplers="none",
        top_k=False,
        penalties=False,
        seed=False,
        efforts=(),
        verbosity=False,
        parallel_tool_calls=False,
    )
    for takes in (Takes(), nothing):
        for dialect in (OPENAI, Dialect(extras=frozenset())):
            prepared = call(takes, dialect, tools=(NESTED,), **values)
            for name in values:
                assert (name in prepared.body) != (name in dropped_names(prepared)), name


def test_caching_is_asked_for_where_it_can_be() -> None:
    auto = Dialect(auto_cache=True)
    mark = {"type": "ephemeral"}
    assert rest(call(Takes(cache_control=True), auto, cache_control=mark)) == {
        "cache_control": mark
    }
    assert call(Takes(), auto, cache_control=mark).dropped == ("cache_control",)
    assert call(Takes(cache_control=True), cache_control=mark).dropped == ("cache_control",)


def test_a_field_by_another_name_is_known_when_it_is_refused() -> None:
    prepared = call(Takes(), Dialect(renamed={"seed": "random_seed"}), seed=7)
    assert rest(prepared) == {"random_seed": 7}
    assert prepared.names["random_seed"] == "seed"


def test_an_answer_by_a_schema_comes_whole_where_it_cannot_be_streamed() -> None:
    dialect = Dialect(schema_streams=False)
    prepared = call(Takes(), dialect, stream=True, response_format=FLAT_SCHEMA)
    assert "stream" not in prepared.body
    assert dropped_names(prepared) == ["stream"]
    assert call(Takes(), dialect, stream=True).body["stream"] is True
