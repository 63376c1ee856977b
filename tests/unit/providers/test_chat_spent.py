"""What an answer cost, and what was counted, in every way that servers write it."""

from typing import Any

import pytest

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.chat.answer import read_chat
from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.http.api import Reading
from tests.http_server import completion


def good(value: Any) -> Reading:
    reading = read_chat(value)
    assert isinstance(reading, Reading), reading
    return reading


COUNTS = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


@pytest.mark.parametrize(
    "spelt",
    [
        {"prompt_tokens_details": {"cached_tokens": 60}},
        {"prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40},
        {"cached_tokens": 60},
        {"cache_read_input_tokens": 60},
        {"cached_tokens": 60, "prompt_tokens_details": {"cached_tokens": 60}},
        {"cached_tokens": 60, "prompt_tokens_details": None},
    ],
)
def test_cached_tokens_in_every_spelling(spelt: dict[str, Any]) -> None:
    assert good(completion(usage={**COUNTS, **spelt})).usage == Usage(100, 10, 110, 60)


@pytest.mark.parametrize(
    "spelt",
    [
        {"prompt_tokens_details": {"cache_write_tokens": 30}},
        {"prompt_tokens_details": {"cache_creation_tokens": 30}},
        {"cache_creation_input_tokens": 30},
        {"cache_write_tokens": 30},
    ],
)
def test_written_tokens_in_every_spelling(spelt: dict[str, Any]) -> None:
    assert good(completion(usage={**COUNTS, **spelt})).cache_write_tokens == 30


def test_a_cost_is_reported_by_the_server() -> None:
    cases = [
        ({"cost": 0.25}, 0.25),
        ({"cost": 0}, 0.0),
        ({"cost": True}, None),
        ({"cost": "0.25"}, None),
        ({"cost": None}, None),
        ({"cost": 10**400}, None),
        ({"cost": -1}, -1.0),  # checked where it is used
        ({"cost_in_usd_ticks": 12_500_000}, 0.00125),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}, 0.5),
        ({"cost": 0, "is_byok": True, "cost_details": {}}, None),
        ({"cost": 0.25, "is_byok": False, "cost_details": {"upstream_inference_cost": 9}}, 0.25),
        ({}, None),
    ]
    wrong = [
        (spelt, cost, found)
        for spelt, cost in cases
        if (found := good(completion(usage={**COUNTS, **spelt})).reported_cost) != cost
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_recordings_and_the_servers_own_tools_are_counted() -> None:
    usage = {
        **COUNTS,
        "prompt_tokens_details": {"audio_tokens": 7},
        "completion_tokens_details": {"audio_tokens": 3},
        "num_sources_used": 4,
        "server_tool_use": {"web_search_requests": 2},
        "server_side_tool_usage_details": {"x_search_calls": 1, "web_search_calls": 0},
    }
    reading = good(completion(usage=usage))
    assert (reading.audio_input_tokens, reading.audio_output_tokens) == (7, 3)
    assert reading.hosted_calls == {"web_search": 2, "x_search": 1, "live_search_source": 4}


@pytest.mark.parametrize(
    ("told_tier", "tier"),
    [
        ("flex", "flex"),
        ("priority", "priority"),
        ("default", None),
        ("auto", None),
        ("on_demand", None),
        (None, None),
        (7, None),
    ],
)
def test_the_tier_is_the_answers(told_tier: Any, tier: str | None) -> None:
    assert good(completion(service_tier=told_tier)).service_tier == tier
    stream = ChatStream()
    stream.take({"service_tier": told_tier, "choices": [{"delta": {"content": "Hi"}}]})
    stream.take({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    assert good(stream.whole()).service_tier == tier


@pytest.mark.parametrize(
    "last",
    [
        {"choices": [], "usage": COUNTS},
        {"choices": [{"delta": {}, "finish_reason": "stop", "usage": COUNTS}]},
        {"choices": [], "x_groq": {"usage": COUNTS}},
    ],
)
def test_the_usage_of_a_stream_stands_in_several_places(last: dict[str, Any]) -> None:
    stream = ChatStream()
    stream.take({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})
    stream.take(last)
    assert good(stream.whole()).usage == Usage(100, 10, 110)
