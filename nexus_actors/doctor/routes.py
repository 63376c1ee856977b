"""Checks for requests without a model, and for budgets that refuse calls."""

from collections.abc import Iterator, Sequence
from typing import Final

from nexus_actors.doctor.check import Check, Installation, in_thread
from nexus_actors.doctor.finding import Advice, Finding, Ok
from nexus_actors.routing.config_warnings import misspelt, without_price
from nexus_actors.settings import Settings
from nexus_actors.settings.defaults import ECHO
from nexus_actors.settings.reach import NO_KEY, gap_warning


def look_at_routes(at: Installation) -> Sequence[Finding]:
    """Check for requests that match no route, and for misspelt models. What routes lose by a
    missing key is in the finding of `keys`."""
    settings = at.settings
    findings = [*_gaps(settings), *_misspelt(settings)]
    return findings or [Ok(_counted(settings))]


def _counted(settings: Settings) -> str:
    source = settings.sources.get("routes")
    if source == NO_KEY:
        return f"{ECHO} stands in for all configured routes, since {source}"
    where = "built in" if source is None else "in the file"
    count = len(settings.routes)
    return f"{count} route{'s' * (count > 1)} ({where}), each with a model to call"


def _gaps(settings: Settings) -> Iterator[Finding]:
    if (gap := gap_warning(settings.routes)) is not None:
        cause, _, leads_to = gap.partition(": ")
        fix = 'a last route for the rest: [[routes]] complexity = "*", task_type = "*", models = …'
        yield Advice(cause, leads_to, fix)


def _misspelt(settings: Settings) -> Iterator[Finding]:
    for it in misspelt(settings):
        yield Advice(
            f"{it.path}: {it.what}", "calls to it probably end as model_unavailable", it.fix
        )


def look_at_budgets(at: Installation) -> Sequence[Finding]:
    """Check for budgets that refuse all calls to a model because its price is unknown."""
    findings = [
        Advice(f"{it.path}: {it.what}", "its requests end as quota_exceeded", it.fix)
        for it in without_price(at.settings)
    ]
    count = len(at.settings.budgets)
    return findings or [
        Ok(f"{count} configured; each knows what its calls may cost" if count else "none")
    ]


CHECKS: Final = (
    Check("routes", in_thread(look_at_routes)),
    Check("budgets", in_thread(look_at_budgets)),
)
