"""procrastinate's task: `procrastinate --app benchmarks.peers.procrastinate_worker.app worker`."""

from typing import Any

from procrastinate import App, PsycopgConnector

from benchmarks.peers.calls import URL

app = App(connector=PsycopgConnector(conninfo=URL))


@app.task(name="answer")
async def answer(messages: list[dict[str, Any]]) -> str:
    """Echo."""
    return str(messages[-1]["content"])
