"""The client: send a request and wait for its answer, or fetch it later."""

import math
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, overload

import anyio

from nexus_actors.client import arguments
from nexus_actors.client.answers import CallAnswer, CancelOutcome, Enqueued, answer_of
from nexus_actors.client.connection import ClientDatabase, open_client_database
from nexus_actors.client.errors import (
    CallError,
    InvalidArguments,
    RequestFailed,
    Timeout,
    Unavailable,
)
from nexus_actors.client.queues import QueueClient
from nexus_actors.client.stream import AnswerStream, Heard
from nexus_actors.client.waiters import Waiters
from nexus_actors.contract.encode import Envelope, decode_result
from nexus_actors.contract.request import Complexity
from nexus_actors.contract.result import LLMResult
from nexus_actors.contract.stream import decode_piece, stream_channel
from nexus_actors.contract.tasks import determine_complexity_for_task
from nexus_actors.routing.routes import Routes
from nexus_actors.settings.model import Settings
from nexus_actors.storage.errors import StorageError, StorageRefused, StorageUnavailable
from nexus_actors.storage.postgres.connection import collapsed_groups
from nexus_actors.storage.postgres.embedded import embedded_url
from nexus_actors.storage.postgres.errors import is_for_the_owner

DEFAULT_TIMEOUT = 120.0
"""Seconds that a call waits for its answer."""
RETRY = 0.5
"""Seconds until the next query for a result if the database was unavailable."""


class LLMService:
    """A connection to the service's database: `async with LLMService() as service`.

    Works in trio and in asyncio programs. `settings` are those of the service. Without them, they
    are found as the `nexus` command finds them: `config`, else `NEXUS_CONFIG`, else
    `config/nexus.toml`, else the defaults. `url` overrides the database only.

    Any number of calls may run concurrently, from any task within the block. They share up to
    `pool_size` connections, and one more that listens for results. Waiting for a result requires a
    service that stores results (`[result_poller] enabled`, the default).

    Raises InvalidArguments. Methods raise RuntimeError outside the block.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        config: str | Path | None = None,
        url: str | None = None,
        pool_size: int = 4,
    ) -> None:
        if pool_size < 1:
            raise InvalidArguments("pool_size: expected a whole number from 1")
        self._settings = settings or arguments.read_settings(config)
        given = url or self._settings.database.url.get_secret_value()
        self._url = (
            arguments.checked_url(given) if given else embedded_url(self._settings.service.data_dir)
        )
        self._pool_size = pool_size
        self._queue = self._settings.queue.requests
        self._stack = AsyncExitStack()
        self._database: ClientDatabase | None = None
        self._waiters = Waiters()

    async def __aenter__(self) -> Self:
        """Connect. Raises Unavailable."""
        if self._database is not None:
            raise RuntimeError("LLMService is open already: one block at a time")
        async with AsyncExitStack() as stack:
            with _unavailable():
                database = await stack.enter_async_context(
                    open_client_database(self._url, self._waiters, pool_size=self._pool_size)
                )
            self._stack = stack.pop_all()
        self._database = database
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections. Calls that still run in other tasks end with an error."""
        self._database = None
        self._waiters.wake_all()
        # The block's exception is kept out of this stack: trio-asyncio's nurseries would wrap it
        # into a group, or take it out of the caller's group.
        await self._stack.aclose()

    # -- calling

    @overload
    async def call(
        self,
        model_or_complexity: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        timeout: float | None = ...,
        wait: Literal[True] = ...,
        **options: Any,
    ) -> CallAnswer: ...

    @overload
    async def call(
        self,
        model_or_complexity: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        timeout: float | None = ...,
        wait: Literal[False],
        **options: Any,
    ) -> Enqueued: ...

    async def call(
        self,
        model_or_complexity: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        timeout: float | None = None,
        wait: bool = True,
        **options: Any,
    ) -> CallAnswer | Enqueued:
        """Send a request and wait for its answer (`LLM.Service.call` in Elixir).

        `model_or_complexity` is `simple`, `medium`, `complex`, or a model: `PROVIDER/MODEL` or its
        bare name. `messages` are `{"role": …, "content": …}`. `options` are the request's other
        fields (`task_type`, `max_tokens`, `tools` and others; docs/messages.md lists them).
        `request_id` is a new UUID unless given; one that was used before gets the first request's
        answer. `traceparent` (W3C) is sent in the message's headers and continues the trace in the
        service. Without it, the OpenTelemetry span that the caller is in is used, if there is one.

        `timeout` is in seconds, `DEFAULT_TIMEOUT` unless given. It also tells the service when to
        give up. With `wait=False`, the call returns `Enqueued` at once and `result` fetches the
        answer later; the service then has no time limit unless `timeout` is given.

        Raises CallError and its subclasses. Nothing is sent if the arguments make no valid request,
        or if no service is running. If the caller is cancelled, a request that was already sent
        stays with the service, which answers it.
        """
        if wait and timeout is None:
            timeout = DEFAULT_TIMEOUT
        envelope = arguments.build_call(
            model_or_complexity, messages, timeout=timeout, options=options
        )
        request_id = envelope.request.request_id
        if not wait or timeout is None:
            await self._dispatch(envelope)
            return Enqueued(request_id)
        deadline = anyio.current_time() + timeout
        with anyio.CancelScope(deadline=deadline):
            await self._dispatch(envelope)
        return answer_of(await self._wait(request_id, deadline, timeout))

    async def call_with_prompt(
        self,
        model_or_complexity: str,
        prompt: str,
        *,
        timeout: float | None = None,
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
        timeout: float | None = None,
        **options: Any,
    ) -> CallAnswer:
        """`call` with a system message and a user message."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        return await self.call(model_or_complexity, messages, timeout=timeout, wait=True, **options)

    @asynccontextmanager
    async def stream(
        self,
        model_or_complexity: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        timeout: float = DEFAULT_TIMEOUT,
        **options: Any,
    ) -> AsyncIterator[AnswerStream[CallAnswer]]:
        """Send a request and receive its answer's text as it arrives.

            async with service.stream("simple", messages) as stream:
                async for text in stream:       # or `Restarted`: discard what came before
                    ...
            stream.answer                       # as `call` returns it

        Arguments and errors are those of `call`. Errors that occur after the request was sent are
        raised by the iteration. If the block is left early, or cancelled, the request stays with
        the service.
        """
        envelope = arguments.build_call(
            model_or_complexity, messages, timeout=timeout, options={**options, "stream": True}
        )
        request_id = envelope.request.request_id
        deadline = anyio.current_time() + timeout
        send, receive = anyio.create_memory_object_stream[Heard](math.inf)

        def heard(payload: str) -> None:
            if (piece := decode_piece(payload)) is not None:
                send.send_nowait(piece)

        async def wait() -> None:
            try:
                send.send_nowait(await self._wait(request_id, deadline, timeout))
            except CallError as error:
                send.send_nowait(error)

        channel = stream_channel(request_id)
        with _unavailable(request_id), anyio.CancelScope(deadline=deadline):
            await self._db.hear(channel, heard)
        try:
            with anyio.CancelScope(deadline=deadline):
                await self._dispatch(envelope)
            with collapsed_groups():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(wait)
                    yield AnswerStream(receive, answer_of)
                    tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._forget(channel)
            send.close()
            receive.close()

    async def enqueue(
        self, task_type: str, messages: Sequence[Mapping[str, Any]], **options: Any
    ) -> str:
        """Put a request into the queue and return its id, whether or not a service is running.

        (`LlmRequestWorker.enqueue_llm_request` in Elixir.) `options` are those of `call`, including
        `timeout` in seconds. Raises InvalidArguments, and Unavailable if the database is.
        """
        envelope = arguments.build_task(task_type, messages, options)
        with _unavailable(envelope.request.request_id):
            await self._db.send(self._queue, [envelope])
        return envelope.request.request_id

    async def send(self, envelopes: Iterable[Envelope]) -> None:
        """Put several requests into the queue, all or none."""
        with _unavailable():
            await self._db.send(self._queue, envelopes)

    async def result(self, request_id: str, timeout: float = 0.0) -> LLMResult:
        """The result of a request. Waits for it up to `timeout` seconds; 0 looks once.

        The result of a failed request is returned, too: its `outcome` is a `Failure`. Raises
        Timeout if there is no result by then, and Unavailable if the database is.
        """
        if timeout != 0:
            deadline = anyio.current_time() + arguments.checked_timeout(timeout)
            return await self._wait(request_id, deadline, timeout)
        with _unavailable(request_id):
            found = await self._look(request_id)
        if found is None:
            raise Timeout(f"no result for {request_id}", request_id=request_id)
        return found

    async def cancel(self, request_id: str, why: str | None = None) -> CancelOutcome:
        """Cancel a request: it ends with the error `cancelled`. Returns the state it was found in.

        `queued`: it ends as soon as a service leases it. `running`: its call is interrupted, and
        may have been paid for; an answer that arrives first is published. `ended`: nothing changes.
        `unknown`: it is cancelled if it is sent within seven days. `why` is quoted in the result.

        Cancelling the task that waits in `call`, or leaving a stream, does not cancel the request.
        Raises InvalidArguments, and Unavailable if the database is.
        """
        with _unavailable(request_id):
            try:
                return await self._db.cancel(request_id, why)
            except StorageRefused as error:
                raise InvalidArguments(str(error)) from error

    # -- information

    @property
    def queues(self) -> QueueClient:
        """Direct access to PGMQ on this client's connections (`PgmqClient` in Elixir)."""
        return QueueClient(self._db, self._settings.queue)

    def determine_complexity_for_task(
        self, task_type: str | None, default: Complexity = "medium"
    ) -> Complexity:
        """The complexity of a task type; `default` if the type is not known."""
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

    async def _forget(self, channel: str) -> None:
        if self._database is not None:
            await self._database.unhear(channel)

    async def _dispatch(self, envelope: Envelope) -> None:
        with _unavailable():
            if not await self._db.consumer_is_running(self._queue):
                raise Unavailable(f"no service is consuming the queue {self._queue}")
        with _unavailable(envelope.request.request_id):
            await self._db.send(self._queue, [envelope])

    async def _wait(self, request_id: str, deadline: float, timeout: float) -> LLMResult:
        """Query for the result at each wake-up until the deadline. Tolerates passing failures of
        the database, as the request is safe in the queue, but not those an operator must fix."""
        trouble: StorageUnavailable | None = None
        # Registered before the first query, so that no notification is missed.
        with anyio.CancelScope(deadline=deadline), self._waiters.expect(request_id) as stored:
            await self._db.watch()
            while True:
                try:
                    with _unavailable(request_id, but_passing=True):
                        found = await self._look(request_id)
                except StorageUnavailable as error:
                    trouble = error
                    await anyio.sleep(RETRY)
                    continue
                if found is not None:
                    return found
                trouble = None
                await stored.wait()
        why = trouble or await self._db.why_late(self._queue)
        line = f"no result for {request_id} after {timeout:g} s" + (f": {why}" if why else "")
        raise Timeout(line, request_id=request_id)

    async def _look(self, request_id: str) -> LLMResult | None:
        body = await self._db.result(request_id)
        if body is None:
            return None
        match decode_result(body):
            case LLMResult() as result:
                return result
            case reason:
                line = f"the result stored for {request_id} cannot be read: {reason}"
                raise RequestFailed(line, request_id=request_id)


@contextmanager
def _unavailable(request_id: str | None = None, *, but_passing: bool = False) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        if but_passing and isinstance(error, StorageUnavailable) and not is_for_the_owner(error):
            raise
        raise Unavailable(str(error), request_id=request_id) from error
