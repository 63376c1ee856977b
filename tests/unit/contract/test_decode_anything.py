"""Whatever is sent: a request or a refusal, and never an exception."""

import json
import operator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import EXCERPT_LIMIT, REFUSALS, Refusal
from nexus_actors.contract.request import LLMRequest

USER = {"role": "user", "content": "Design a feature"}
MINIMAL: dict[str, Any] = {"request_id": "r-1", "complexity": "simple", "messages": [USER]}

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters()).map(lambda text: text + "\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
VALUES: dict[str, Any] = {
    **MINIMAL,
    "messages": [
        USER,
        {"role": "assistant", "content": None, "refusal": "no", "tool_calls": []},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {}}], "x": 1},
    ],
    "input": "hi",
    "task_type": "coder",
    "request": MINIMAL,
    "agent_id": "a",
    "model": "auto",
    "provider": "auto",
    "api_version": "responses",
    "max_tokens": 1,
    "temperature": 1.0,
    "stream": False,
    "capabilities": [],
    "previous_response_id": "p",
    "mcp_servers": [],
    "store": True,
    "tools": [{"name": "look", "input_schema": {}}],
    "tool_choice": {"type": "tool", "name": "look"},
    "functions": [{"name": "look"}],
    "function_call": {"name": "look"},
    "system": [{"type": "text", "text": "x"}],
    "instructions": "x",
    "text": {"verbosity": "low"},
    "reasoning": {"effort": "low", "more": 1},
    "output_config": {"effort": "high"},
    "thinking": {"type": "adaptive"},
    "max_output_tokens": 1,
    "stop_sequences": ["x"],
    "n": 1,
    "metadata": {"a": "b"},
    "user": "u",
    "safety_identifier": "s",
    "background": False,
    "trace": 1,
    "timeout": 5,
}
# A few fields at a time, mostly beside all that a request needs: what is refused for one of them,
# or for want of one, is read no further.
fields = st.builds(
    operator.or_,
    st.sampled_from((MINIMAL, MINIMAL, MINIMAL, {})),
    st.lists(
        st.one_of(
            *(st.tuples(st.just(name), anything | st.just(it)) for name, it in VALUES.items())
        ),
        max_size=8,
    ).map(dict),
)


calls = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.none() | st.just("")},
    optional={
        "tool_calls": anything
        | st.lists(
            st.fixed_dictionaries(
                {"id": st.just("c")},
                optional={
                    "function": anything | st.fixed_dictionaries({"arguments": anything}),
                    "provider_state": anything,
                },
            ),
            max_size=2,
        ),
        "refusal": anything,
        "provider_state": anything,
        "reasoning_content": anything,
        "note": anything,
    },
).map(lambda message: {**MINIMAL, "messages": [message]})


def check(outcome: LLMRequest | Refusal) -> None:
    match outcome:
        case LLMRequest():
            assert 0 < len(outcome.request_id) <= 255
            assert outcome.messages
            assert len(outcome.unknown) < 40
            assert all(len(name) < 100 for name in outcome.unknown)
            json.dumps([*outcome.messages], allow_nan=False).encode()
        case Refusal():
            assert outcome.type in REFUSALS
            assert len(outcome.excerpt) <= EXCERPT_LIMIT
            assert len(outcome.message) <= 500


@settings(derandomize=True, max_examples=400)
@given(fields | calls)
def test_no_object_makes_it_raise(value: dict[str, Any]) -> None:
    check(decode_request(json.dumps(value)))


@settings(derandomize=True, max_examples=200)
@given(st.text() | anything.map(json.dumps))
def test_no_text_makes_it_raise(text: str) -> None:
    check(decode_request(text))
