"""All of it, one thing after another: the server knows one next answer at a time."""

from collections.abc import Sequence

from differential import answers, bodies, costs, facts
from differential.findings import Verdict
from differential.models import Model
from differential.server import bench


async def run(parts: Sequence[str], models: Sequence[Model], verdict: Verdict) -> None:
    """Compare these parts of these models; what is found goes to `verdict`."""
    async with bench() as opened:
        for model in models:
            if "bodies" in parts:
                async for finding in bodies.compare(model, opened):
                    verdict.add(finding)
            for part in ("answers", "streams"):
                if part in parts:
                    async for finding in answers.compare(part, model, opened):
                        verdict.add(finding)
        if "costs" in parts:
            async for finding in costs.compare(opened):
                verdict.add(finding)
    if "facts" in parts:
        for finding in facts.compare():
            verdict.add(finding)
