"""What the models of a request's route would have cost, as far as that is known."""

from typing import Any

import pytest

from nexus_actors.cli.explain import _unpriced
from nexus_actors.monitoring.story import candidate_costs
from nexus_actors.storage.postgres.journal import JournalEntry
from tests.unit.settings.parsing import good

STEPS = [{"detail": {"candidates": ["local/m", "e/m", "openai/gpt-6.1-sol", "gone/m"]}}]
SETTINGS = good(
    {
        "providers": {
            "local": {"kind": "openai_compatible", "base_url": "http://127.0.0.1:1", "free": True},
            "e": {"kind": "echo"},
        },
    },
    {"OPENAI_API_KEY": "k"},
)


def entry(*attempts: dict[str, Any], finished_at: object = "now") -> JournalEntry:
    request = {"prompt_tokens": None, "completion_tokens": None, "finished_at": finished_at}
    defaults = {"outcome": "connection_failed", "cost": None, "maybe_paid": False}
    return JournalEntry(request, [], [{**defaults, **it} for it in attempts], [])


def test_a_free_model_costs_nothing_even_if_the_tokens_are_unknown() -> None:
    costs = candidate_costs(SETTINGS, entry(), STEPS)
    assert costs == {"local/m": 0.0, "e/m": 0.0, "openai/gpt-6.1-sol": None, "gone/m": None}


@pytest.mark.parametrize(
    ("told", "attempts"),
    [
        ("no tokens were used", []),
        ("no tokens were used", [{}]),
        ("cost unknown", [{}, {"maybe_paid": True}]),
        ("cost unknown", [{"outcome": "ok"}]),
        ("cost unknown", [{"outcome": "invalid_response", "cost": 0.1}]),
    ],
)
def test_a_cost_is_unknown_only_if_a_call_may_have_been_paid_for(
    told: str, attempts: list[dict[str, Any]]
) -> None:
    assert _unpriced(entry(*attempts)) == told


def test_a_request_in_work_may_use_tokens_that_nobody_knows_yet() -> None:
    assert _unpriced(entry(finished_at=None)) == "cost unknown"
