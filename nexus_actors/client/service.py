"""The client that callers know: dispatch a request, wait for its answer, or pick it up later."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, overload

import anyio

from nexus_actors.client import arguments
from nexus_actors.client.connection import ClientDatabase, open_client_database
from nexus_actors.client.errors import (
    InvalidArguments,
    RequestFailed,
    Timeout,
    Unavailable,
    error_of,
)
from nexus_actors.client.queues import QueueClient
from nexus_actors.client.waiters import Waiters
from nexus_actors.contract.encode import Envelope, decode_result
from nexus_actors.contract.request import Complexity
from nexus_actors.contract.result import Answer, Failure, LLMResult
from nexus_actors.contract.tasks import determine_complexity_for_task
from nexus_actors.results.job_results import cents
from nexus_actors.routing.routes import Routes
from nexus_actors.settings.model import Settings
from nexus_actors.storage.ports import StorageError, StorageUnavailable
from nexus_actors.storage.postgres.embedded import embedded_url

DEFAULT_TIMEOUT = 120.0
"""Seconds a call waits for its answer."""
RETRY = 0.5
"""Seconds before a look for an answer that failed because the database was away is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """A call's answer; the first four fields are those the Elixir callers know."""

    text: str
    """Empty where the model answered with tool calls alone."""
    model: str
    tokens_used: int
    cost_cents: int
    """Whole US cents, as in `job_results`; `answer.cost` has the dollars, None where unknown."""
    request_id: str
    latency_ms: int
    answer: Answer
    """Everything the provider said: provider, usage, cost, finish reason, tool calls."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What `call(…, wait=False)` returns: the answer is fetched later with `result`."""

    request_id: str
    status: Literal["enqueued"] = "enqueued"


class LLMService:
    """A connection to the service's database; use it as `async with LLMService() as service`.

    Works in trio and in asyncio programs. `settings` are those of the service; without them they
    are
    found as the `nexus` command finds them (`config`, else NEXUS_CONFIG, else ./config/nexus.toml,
    else the defaults). `url` overrides the database only. Any number of calls may run at once.

    Waiting for answers needs a ResultPoller: it is the one who stores them and tells of it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        config: Path | None = None,
        url: str | None = None,
        pool_size: int = 4,
    ) -> None:
        self._settings = settings or _load(config)
        configured = self._settings.database.url.get_secret_value()
        self._url = url or configured or embedded_url(self._settings.service.data_dir)
        self._pool_size = pool_size
        self._queue = self._settings.queue.requests
        self._stack = AsyncExitStack()
        self._database: ClientDatabase | None = None
        self._waiters = Waiters()

    async def __aenter__(self) -> Self:
        """Connect. Raises Unavailable."""
        async with AsyncExitStack() as stack:
            with _unavailable():
                self._database = await stack.enter_async_context(
                    open_client_database(self._url, pool_size=self._pool_size)
                )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database = None
        await self._stack.__aexit__(kind, error, trace)

    # -- calling

    @overload
    async def call(
        self,
        model_or_complexity: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        timeout: float = ...,
        wait: Literal[True] = ...,
        **options: Any,
    ) -> CallAnswer: ...

    @overload
    async def call(
        self,
        model_or_complexity: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        timeout: float = ...,
        wait: Literal[False],
        **options: Any,
    ) -> Enqueued: ...

    async def call(
        self,
        model_or_complexity: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        timeout: float = DEFAULT_TIMEOUT,
        wait: bool = True,
        **options: Any,
    ) -> CallAnswer | Enqueued:
        """Dispatch a request and wait up to `timeout` seconds for its answer (`LLM.Service.call`).

        `model_or_complexity` is `simple`, `medium`, `complex`, or a model. `options` are the
        request's other fields (`task_type`, `agent_id`, `max_tokens`, `temperature`, `tools`, …).
        With `wait=False` it returns `Enqueued` at once and `result` fetches the answer.

        Raises the errors of `client.errors`. Nothing is sent if the arguments are no valid request
        or no service is running. Cancelled, the request stays with the service, which answers it.
        """
        envelope = _envelope(model_or_complexity, messages, timeout=timeout, options=options)
        request_id = envelope.request.request_id
        with _unavailable(request_id):
            if not await self._db.consumer_is_running(self._queue):
                raise Unavailable(f"no service is consuming the queue {self._queue}")
            if not wait:
                await self._db.send(self._queue, [envelope.body])
                return Enqueued(request_id)
            with self._waiters.expect(request_id) as stored:
                await self._db.listen(self._waiters.told)
                await self._db.send(self._queue, [envelope.body])
                return _answer(await self._wait(request_id, stored, timeout))

    async def call_with_prompt(
        self,
        model_or_complexity: str,
        prompt: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        **options: Any,
    ) -> CallAnswer:
        """`call` with one user message."""
        messages = [{"role": "user", "content": prompt}]
        return await self.call(model_or_complexity, messages, timeout=timeout, wait=True, **options)

    async def call_with_system(
        self,
        model_or_complexity: str,
        system: str,
        prompt: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        **options: Any,
    ) -> CallAnswer:
        """`call` with a system message and a user message."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        return await self.call(model_or_complexity, messages, timeout=timeout, wait=True, **options)

    async def enqueue(
        self, task_type: str, messages: Sequence[Mapping[str, Any]], **options: Any
    ) -> str:
        """Put a request into the queue and return its id, whether or not a service is running.

        (`LlmRequestWorker.enqueue_llm_request`.) Raises InvalidArguments, Unavailable.
        """
        options = {"complexity": determine_complexity_for_task(task_type), **options}
        envelope = _checked(build_request(messages, task_type=task_type, **options))
        await self.send([envelope])
        return envelope.request.request_id

    async def send(self, envelopes: Iterable[Envelope]) -> None:
        """Put requests that `build_request` made into the queue, all or none."""
        with _unavailable():
            await self._db.send(self._queue, [envelope.body for envelope in envelopes])

    async def result(self, request_id: str, timeout: float = 0.0) -> LLMResult:
        """The result of a request, waiting for it up to `timeout` seconds. A failure is returned
        too.

        Raises Timeout if there is none by then, Unavailable.
        """
        with _unavailable(request_id), self._waiters.expect(request_id) as stored:
            found = await self._look(request_id)
            if found is not None or timeout <= 0:
                return _found(found, request_id, timeout)
            await self._db.listen(self._waiters.told)
            return await self._wait(request_id, stored, timeout)

    # -- knowing

    def determine_complexity_for_task(
        self, task_type: str | None, default: Complexity = "medium"
    ) -> Complexity:
        """The complexity the contract's table gives a task type; `default` for one it does not
        know.
        """
        return determine_complexity_for_task(task_type, default)

    def get_available_models(self) -> tuple[str, ...]:
        """`PROVIDER/MODEL` of each model that the configuration can reach."""
        return tuple(str(model) for model in Routes(self._settings).models())

    # -- waiting

    @property
    def _db(self) -> ClientDatabase:
        if self._database is None:
            raise RuntimeError("LLMService is not open: use `async with LLMService() as service`")
        return self._database

    async def _look(self, request_id: str) -> LLMResult | None:
        match decode_result(await self._db.result(request_id)):
            case LLMResult() as result:
                return result
            case _:
                return None

    async def _wait(self, request_id: str, stored: Stored, timeout: float) -> LLMResult:
        """Look, then wait for a notification, then look again. Notifications may be lost, time is
        not.
        """
        found = None
        with anyio.move_on_after(timeout):
            while (found := await self._look(request_id)) is None:
                with anyio.move_on_after(LOOK_AGAIN):
                    await stored.wait()
                await self._db.listen(self._waiters.told)
        return _found(found, request_id, timeout)


def _load(config: Path | None) -> Settings:
    match load_settings(config, os.environ):
        case Settings() as settings:
            return settings
        case SettingsErrors() as errors:
            raise InvalidArguments(f"the configuration is not valid: {errors}")


def _envelope(
    model_or_complexity: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    timeout: float,
    options: dict[str, Any],
) -> Envelope:
    if timeout <= 0:
        raise InvalidArguments("timeout: expected a number of seconds above 0")
    fields: dict[str, Any] = {"timeout": timeout, **options}
    if model_or_complexity in COMPLEXITIES:
        fields["complexity"] = model_or_complexity
    else:
        fields["model"] = model_or_complexity
        fields.setdefault("complexity", determine_complexity_for_task(options.get("task_type")))
    return _checked(build_request(messages, **fields))


def _checked(built: Envelope | Refusal) -> Envelope:
    match built:
        case Envelope():
            return built
        case Refusal(type=name, message=message):
            raise InvalidArguments(f"{name}: {message}")


def _found(result: LLMResult | None, request_id: str, timeout: float) -> LLMResult:
    if result is None:
        waited = f" after {timeout:g} s" if timeout > 0 else ""
        raise Timeout(f"no result for {request_id}{waited}", request_id=request_id)
    return result


def _answer(result: LLMResult) -> CallAnswer:
    match result.outcome:
        case Failure() as failure:
            raise error_of(failure, result.request_id)
        case Answer() as answer:
            return CallAnswer(
                text=answer.response or "",
                model=answer.model,
                tokens_used=answer.usage.total_tokens,
                cost_cents=cents(answer.cost),
                request_id=result.request_id,
                latency_ms=result.latency_ms,
                answer=answer,
            )


@contextmanager
def _unavailable(request_id: str | None = None) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise Unavailable(str(error), request_id=request_id) from error
