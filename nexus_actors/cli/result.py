"""`nexus result`: what became of a request."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import running_database
from nexus_actors.cli.options import AsJson, ConfigPath, Timeout, read_settings
from nexus_actors.cli.report import complain, note, print_json, printable

if TYPE_CHECKING:
    from nexus_actors.contract.result import LLMResult
    from nexus_actors.settings import Settings


def result(
    request_id: Annotated[str, Parameter(name="ID", help="The request's id.")],
    /,
    *,
    wait: Annotated[
        bool, Parameter(negative="", help="Wait for it, for as long as --timeout says.")
    ] = False,
    timeout: Timeout = 120.0,
    config: ConfigPath = None,
    json: AsJson = False,
) -> int:
    """Print the answer to a request that was sent before.

    Exit code 1 if the request has failed, 5 if it has no result (yet).
    """
    import trio

    settings = read_settings(config)
    url = running_database(settings)
    found = trio.run(_find, settings, url, request_id, timeout if wait else 0.0)
    return _show(found, json)


async def _find(settings: "Settings", url: str, request_id: str, timeout: float) -> "LLMResult":
    from nexus_actors.client import LLMService

    async with LLMService(settings, url=url, pool_size=1) as service:
        return await service.result(request_id, timeout)


def _show(result: "LLMResult", as_json: bool) -> int:
    from nexus_actors.cli.ask import describe
    from nexus_actors.contract.encode import result_fields
    from nexus_actors.contract.result import Answer

    outcome = result.outcome
    if as_json:
        print_json(result_fields(result))
    elif isinstance(outcome, Answer):
        print(outcome.response or "")
        note(f"{describe(outcome, result.latency_ms)} · attempts: {result.attempts}")
        for told in outcome.dropped:
            note(f"not sent as asked: {printable(told)}")
    else:
        complain(f"{outcome.type}: {outcome.message} (attempts: {result.attempts})")
    return exit_codes.OK if isinstance(outcome, Answer) else exit_codes.FAILED
