"""The table of what models do not take: known at once, over in time, never without bound."""

from typing import Any

from nexus_actors.admission.quirks import Quirks
from nexus_actors.storage.quirks import PROVIDER_QUIRKS, QUIRK_SECONDS, Quirk


def quirk(field: str = "seed", **changes: Any) -> Quirk:
    said = {"provider": "p", "model": "m", "field": field, "reason": "refused"}
    return Quirk(**(said | changes))


def test_what_is_learnt_is_known_at_once_and_for_a_day() -> None:
    quirks = Quirks()
    quirks.learn(quirk(), 100.0)
    assert quirks.without("p", "m", "", 100.0) == {"seed": "refused"}
    assert quirks.without("p", "m", "", 99.0 + QUIRK_SECONDS) == {"seed": "refused"}
    assert quirks.without("p", "m", "", 100.0 + QUIRK_SECONDS) == {}


def test_it_is_known_of_one_provider_model_and_effort() -> None:
    quirks = Quirks()
    quirks.learn(quirk(effort="high"), 0.0)
    for other in (("q", "m", "high"), ("p", "n", "high"), ("p", "m", ""), ("p", "m", "low")):
        assert quirks.without(*other, 1.0) == {}
    assert quirks.without("p", "m", "high", 1.0) == {"seed": "refused"}


def test_what_the_store_says_counts_from_when_it_was_learnt() -> None:
    quirks = Quirks()
    quirks.replace([quirk(age=QUIRK_SECONDS - 10)], 0.0)
    assert quirks.without("p", "m", "", 9.0) == {"seed": "refused"}
    assert quirks.without("p", "m", "", 11.0) == {}
    assert quirks.unwritten() == ()


def test_what_was_forgotten_is_known_no_more_but_what_is_not_stored_yet_stays() -> None:
    quirks = Quirks()
    quirks.learn(quirk("seed"), 0.0)
    quirks.learn(quirk("top_p"), 0.0)
    quirks.written(quirk("seed"))
    quirks.replace([], 1.0)
    assert quirks.without("p", "m", "", 1.0) == {"top_p": "refused"}
    assert [it.field for it in quirks.unwritten()] == ["top_p"]


def test_what_is_known_is_not_learnt_again_before_it_is_over() -> None:
    quirks, calls = Quirks(), []
    quirks.on_learnt = lambda: calls.append(1)
    quirks.learn(quirk(), 0.0)
    quirks.learn(quirk(), 1.0)
    quirks.written(quirk())
    quirks.learn(quirk(), 2.0)
    assert (len(calls), quirks.unwritten()) == (1, ())
    quirks.learn(quirk(), QUIRK_SECONDS)
    assert len(quirks.unwritten()) == 1


def test_while_nothing_can_be_stored_it_has_a_bound() -> None:
    quirks = Quirks()
    for number in range(2 * PROVIDER_QUIRKS):
        quirks.learn(quirk(model=f"m{number}"), 0.0)
    assert len(quirks) == len(quirks.unwritten()) == PROVIDER_QUIRKS
