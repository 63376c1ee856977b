"""The demo's requests show what the issue asks for, and nothing by accident."""

from pathlib import Path

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.request import LLMRequest
from nexus_actors.routing import Routed, candidates
from nexus_actors.settings import Settings, load_settings

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"


def test_the_examples_show_every_case() -> None:
    outcomes = [
        decode_request(line) for line in (EXAMPLES / "requests.jsonl").read_text().splitlines()
    ]
    requests = [outcome for outcome in outcomes if isinstance(outcome, LLMRequest)]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    ids = [request.request_id for request in requests]
    assert {request.complexity for request in requests} == {"simple", "medium", "complex"}
    assert len({request.task_type for request in requests}) > 4
    assert [refusal.path for refusal in refusals] == ["messages[0].role"]
    assert len(ids) - len(set(ids)) == 1


def test_the_demos_config_routes_every_example_and_some_by_fallback() -> None:
    settings = load_settings(EXAMPLES / "demo.toml", {})
    assert isinstance(settings, Settings), settings
    assert settings.warnings == ()
    first = set()
    for line in (EXAMPLES / "requests.jsonl").read_text().splitlines():
        request = decode_request(line)
        if isinstance(request, LLMRequest):
            routed = candidates(request, settings)
            assert isinstance(routed, Routed)
            assert routed.candidates[-1].provider != "broken"
            first.add(routed.candidates[0].provider)
    assert first == {"swift", "thinker", "broken"}
