"""`nexus ask`: one question to the running service, and its answer."""

import sys
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import running_database
from nexus_actors.cli.options import AsJson, ConfigPath, Timeout, read_settings
from nexus_actors.cli.report import CommandError, complain, note, print_json, say, say_text
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from nexus_actors.client import CallAnswer, LLMService
    from nexus_actors.contract.result import Answer
    from nexus_actors.settings import Settings

Question = Annotated[str | None, Parameter(help="The question; default: read from a pipe.")]
Complexity = Annotated[
    Literal["simple", "medium", "complex"] | None,
    Parameter(help="Selects the route; default: as the task type says, else medium."),
]
TaskType = Annotated[str | None, Parameter(help="For example coder, architect, classifier.")]
Model = Annotated[str | None, Parameter(help="PROVIDER/MODEL, or a model's name.")]
Provider = Annotated[str | None, Parameter(help="The preferred provider.")]
_PATIENCE: Final = 5.0
"""Seconds to find out why there is no answer."""


@dataclass(slots=True)
class _Progress:
    """How far a question got, for whoever interrupts the command."""

    sent: bool | None = False
    """None while it is being sent: it may be in the queue."""

    def interrupted(self, request_id: str) -> str:
        """What an interruption leaves behind."""
        if self.sent is None:
            return f"interrupted; it may have been sent: nexus result {request_id} shows it"
        if self.sent:
            return f"interrupted; the service goes on with the request: nexus result {request_id}"
        return "interrupted; nothing was sent"


def ask(
    question: Question = None,
    /,
    *,
    complexity: Complexity = None,
    task_type: TaskType = None,
    model: Model = None,
    provider: Provider = None,
    timeout: Timeout = 120.0,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Ask the running service one question and print the answer.

    Model, tokens, cost and latency go to standard error.

    Example: nexus ask "Why is the sea salty?" --complexity simple
    """
    settings = read_settings(config)
    text = _piped() if question is None else question
    if not text.strip():
        raise CommandError("the question is empty", exit_codes.USAGE)
    if not settings.result_poller.enabled:
        raise CommandError(
            "nobody would store the answer: [result_poller] enabled is false in this config; send"
            f" it with nexus enqueue, and read the queue {settings.queue.results}",
            exit_codes.USAGE,
        )
    url = running_database(settings)
    options = {"complexity": complexity, "task_type": task_type, "provider": provider}
    options["request_id"] = request_id = str(uuid.uuid4())
    from nexus_actors.client import CallError

    progress = _Progress()
    try:
        answer = run(_ask, settings, url, text, model, timeout, options, not json, progress)
    except CallError as error:
        if json and error.failure is not None:
            print_json({"request_id": error.request_id, "error": asdict(error.failure)})
        for line in _story(error.request_id):
            error.add_note(line)
        raise
    except KeyboardInterrupt:
        complain(progress.interrupted(request_id))
        raise
    if json:
        print_json(_as_dict(answer))
        return
    note(describe(answer.answer, answer.latency_ms))


def _story(request_id: str | None) -> list[str]:
    """Where a request that failed can be looked up, if it was sent."""
    return [] if request_id is None else [f"what became of it: nexus explain {request_id}"]


def _piped() -> str:
    if sys.stdin.isatty():
        raise CommandError('what is the question? nexus ask "..."', exit_codes.USAGE)
    return sys.stdin.read()


async def _ask(
    settings: "Settings",
    url: str,
    text: str,
    model: str | None,
    timeout: float,
    options: dict[str, Any],
    aloud: bool,
    progress: _Progress,
) -> "CallAnswer":
    from nexus_actors.client import LLMService, Timeout
    from nexus_actors.contract.tasks import determine_complexity_for_task

    given = {name: value for name, value in options.items() if value is not None}
    if model is None:
        default = determine_complexity_for_task(given.get("task_type"))
        choice = given.pop("complexity", default)
    else:
        choice = model
    async with LLMService(settings, url=url, pool_size=1) as service:
        progress.sent = None
        try:
            if aloud:
                return await _print_as_it_comes(service, choice, text, timeout, given, progress)
            return await service.call_with_prompt(choice, text, timeout=timeout, **given)
        except Timeout as error:
            if error.failure is not None:  # the request has ended: no answer will follow
                raise CommandError(str(error), details=_story(error.request_id)) from error
            why = await _why_queued(url, settings.queue.requests, str(error.request_id))
            later = f"; {why}: nexus result {error.request_id} shows the outcome"
            raise CommandError(f"{error}{later}", exit_codes.TIMED_OUT) from error


async def _why_queued(url: str, queue: str, request_id: str) -> str:
    """Why a request has no result yet, as far as the database says."""
    import trio

    from nexus_actors.monitoring.story import find_story
    from nexus_actors.storage.errors import StorageError
    from nexus_actors.storage.postgres.connection import open_postgres

    paused: str | None = None
    with trio.move_on_after(_PATIENCE):
        try:
            async with open_postgres(url, pool_size=1) as pool:
                paused = (await find_story(pool, queue, request_id)).paused
        except StorageError:  # a producer's role may not read the journal
            paused = None
    return f"it waits, since {paused}" if paused else "it may still be queued"


async def _print_as_it_comes(
    service: "LLMService",
    choice: str,
    text: str,
    timeout: float,
    options: dict[str, Any],
    progress: _Progress,
) -> "CallAnswer":
    """Piece by piece on a terminal. Elsewhere as a whole, since output cannot be taken back."""
    import trio

    from nexus_actors.client import Restarted

    messages = [{"role": "user", "content": text}]
    live = sys.stdout.isatty()
    until = trio.current_time() + timeout
    async with service.stream(choice, messages, timeout=timeout, **options) as stream:
        if trio.current_time() < until:  # else the timeout may have cut off the sending
            progress.sent = True
        async for event in stream:
            if isinstance(event, Restarted) and live:
                say("")
                note("the call failed halfway; the answer starts again")
            elif isinstance(event, str) and live:
                say_text(event, end="")
    say_text("" if live else stream.answer.text)
    return stream.answer


def _as_dict(answer: "CallAnswer") -> dict[str, object]:
    usage = answer.answer.usage
    return {
        "request_id": answer.request_id,
        "response": answer.answer.response,
        "provider": answer.answer.provider,
        "model": answer.model,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
        "cost": answer.answer.cost,
        "latency_ms": answer.latency_ms,
        "finish_reason": answer.answer.finish_reason,
        "tool_calls": list(answer.answer.tool_calls),
    }


def describe(answer: "Answer", latency_ms: int) -> str:
    """The answering model, tokens, cost and latency, in one line."""
    usage = answer.usage
    tokens = f"{usage.prompt_tokens} + {usage.completion_tokens} tokens"
    cost = cost_text(answer.cost)
    return f"{answer.provider}/{answer.model} · {tokens} · {cost} · {latency_ms} ms"


def cost_text(cost: float | None) -> str:
    """US dollars for display, or that the price is unknown."""
    return "cost unknown" if cost is None else dollars(cost)


def dollars(amount: float) -> str:
    """US dollars for display: cents, and more places if the amount is small."""
    if not amount:
        return "$0"
    if 0 < amount < 0.000_001:
        return "under $0.000001"
    whole, _, places = f"{amount:,.6f}".rstrip("0").partition(".")
    return f"${whole}.{places:0<2}"
