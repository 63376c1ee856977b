"""All of it, one thing after another: the server knows one next answer at a time."""

from collections.abc import AsyncIterator, Sequence

from differential import answers, bodies, costs, facts
from differential.findings import Finding, Verdict
from differential.models import Model
from differential.server import Bench, bench


async def run(parts: Sequence[str], models: Sequence[Model], verdict: Verdict) -> None:
    """Compare these parts of these models; what is found goes to `verdict`."""
    async with bench() as opened:
        async for finding in _spoken(parts, models, opened):
            verdict.add(finding)
    if "facts" in parts:
        for finding in facts.compare():
            verdict.add(finding)


async def _spoken(
    parts: Sequence[str], models: Sequence[Model], opened: Bench
) -> AsyncIterator[Finding]:
    for model in models:
        for part in parts:
            if part == "bodies":
                async for finding in bodies.compare(model, opened):
                    yield finding
            elif part in ("answers", "streams"):
                async for finding in answers.compare(part, model, opened):
                    yield finding
    if "costs" in parts:
        async for finding in costs.compare(opened):
            yield finding
