"""Oban's worker: `oban start --queues default:64` with this module."""

from typing import Any

from oban import worker


@worker(queue="default")
class Answer:
    """Echo."""

    async def process(self, job: Any) -> None:
        """Look at the message, as a job would."""
        str(job.args["messages"][-1]["content"])
