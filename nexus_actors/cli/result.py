"""`nexus result`: the result of a request."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import running_database
from nexus_actors.cli.options import AsJson, ConfigPath, Timeout, read_settings
from nexus_actors.cli.report import complain, note, print_json, say_text
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nexus_actors.client import LLMService
    from nexus_actors.contract.result import LLMResult
    from nexus_actors.settings import Settings


LOOK_AGAIN = 0.5
"""Seconds between queries about a request that was sent again."""
UNKNOWN = "the journal does not know it, and it is not among the last that were sent to the queue"


def result(
    request_id: Annotated[str, Parameter(name="ID", help="The request's id.")],
    /,
    *,
    wait: Annotated[
        bool, Parameter(negative="", help="Wait for it, at most --timeout seconds.")
    ] = False,
    timeout: Timeout = 120.0,
    config: ConfigPath = None,
    json: AsJson = False,
) -> int:
    """Print the result of a request.

    Exit code 1 if the request failed, 5 if it has no result (yet).

    Example: nexus result 0b7c3f1e --wait --timeout 60
    """
    settings = read_settings(config)
    url = running_database(settings)
    found = run(_find, settings, url, request_id, timeout if wait else 0.0)
    return _show(found, json)


async def _find(settings: "Settings", url: str, request_id: str, timeout: float) -> "LLMResult":
    from nexus_actors.client import LLMService
    from nexus_actors.client.errors import Timeout

    try:
        async with LLMService(settings, url=url, pool_size=1) as service:
            if timeout > 0 and await _is_unknown(service, settings, url, request_id):
                note(f"{request_id} is unknown so far: {UNKNOWN}; waiting for it anyway")
            return await _newest(service, url, request_id, timeout)
    except Timeout as error:
        if (reason := await _held_up(settings, url, request_id)) is None:
            raise
        raise Timeout(f"no result for {request_id}: {reason}", request_id=request_id) from error


async def _is_unknown(
    service: "LLMService", settings: "Settings", url: str, request_id: str
) -> bool:
    """Whether the request is certainly unknown."""
    from nexus_actors.client.errors import Timeout
    from nexus_actors.storage.errors import StorageError
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.journal import read_entry, read_queued

    try:
        async with open_postgres(url, pool_size=1) as pool:
            # In the order of its stages, so that a moving request is not missed.
            queued = await pool.run(read_queued, settings.queue.requests, request_id)
            if queued is not None or await pool.run(read_entry, request_id) is not None:
                return False
        await service.result(request_id)
    except Timeout:
        return True
    except StorageError:  # without the privilege to read, just wait
        pass
    return False


async def _newest(service: "LLMService", url: str, request_id: str, timeout: float) -> "LLMResult":
    """The stored result. If there is time and the request was sent again under its own id, wait for
    the result that supersedes it."""
    import trio

    from nexus_actors.client.errors import Timeout
    from nexus_actors.storage.errors import StorageError
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.journal import read_entry

    until = trio.current_time() + timeout
    found = await service.result(request_id, timeout)
    if timeout <= 0:
        return found
    try:
        async with open_postgres(url, pool_size=1) as pool:
            # The journal first: a request that has ended there has its result stored soon.
            while (left := until - trio.current_time()) > 0:
                entry = await pool.run(read_entry, request_id)
                found = await service.result(request_id, left)
                if _is_newest(found, None if entry is None else entry.request):
                    return found
                await trio.sleep(min(LOOK_AGAIN, left))
    except StorageError:
        return found  # without the privilege to read the journal
    told = f"no result for {request_id} after {timeout:g} s: it was sent again under its own id"
    raise Timeout(told, request_id=request_id)


def _is_newest(found: "LLMResult", request: "Mapping[str, object] | None") -> bool:
    """Whether no other result will follow, by the request's row in the journal. Times are not
    compared, as they may come from two clocks."""
    from nexus_actors.contract.result import Answer

    if request is None or request["sent_again_after"] is None:
        return True
    return found.supersedes and (
        request["state"] == "failed"
        or (request["state"] == "done" and isinstance(found.outcome, Answer))
    )


async def _held_up(settings: "Settings", url: str, request_id: str) -> str | None:
    """Why there is no result, from journal, queue and service; None if they do not say."""
    from nexus_actors.operations import control, control_client
    from nexus_actors.storage.errors import StorageError
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.journal import read_entry, read_queued

    try:
        async with open_postgres(url, pool_size=1) as pool:
            entry = await pool.run(read_entry, request_id)
            if entry is None:
                queued = await pool.run(read_queued, settings.queue.requests, request_id)
                return UNKNOWN if queued is None else f"it is {queued}"
    except StorageError:
        return None
    if entry.request["state"] in ("done", "failed"):
        trouble = entry.request["result_trouble"]
        stage = "ResultPoller"
        told = "it has ended, but its result is not in job_results yet"
    else:
        trouble, stage = None, "ResultPublisher"
        told = "it has not ended, and the service cannot publish answers at present"
    if trouble is None:
        try:
            status = await control.ask(settings.service.data_dir, "status")
        except (control_client.ControlError, OSError):
            status = None
        outages = status.get("outages", {}) if isinstance(status, dict) else {}
        trouble = outages.get(stage, {}).get("error")
        if trouble is None and stage == "ResultPublisher":
            told = f"it is in work ({entry.request['state']})"
            return f"{told}; nexus explain {request_id} says what for"
    return told if trouble is None else f"{told}: {trouble}"


def _show(result: "LLMResult", as_json: bool) -> int:
    from nexus_actors.cli.ask import describe
    from nexus_actors.contract.encode import result_fields
    from nexus_actors.contract.result import Answer

    outcome = result.outcome
    if as_json:
        print_json(result_fields(result))
    elif isinstance(outcome, Answer):
        say_text(outcome.response or "")
        note(f"{describe(outcome, result.latency_ms)} · attempts: {result.attempts}")
        for told in outcome.dropped:
            note(f"not sent as asked: {told}")
    else:
        complain(f"{outcome.type}: {outcome.message} (attempts: {result.attempts})")
    return exit_codes.OK if isinstance(outcome, Answer) else exit_codes.FAILED
