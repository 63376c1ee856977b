"""The client that callers know: dispatch a request, wait for its answer, or pick it up later."""

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
"""Seconds a call waits for its answer."""
RETRY = 0.5
"""Seconds before a look for an answer that failed because the database was away is repeated."""


class LLMService:
    """A connection to the service's database; use it as `async with LLMService() as service`.

    Works in trio and in asyncio programs. `settings` are those of the service; without them they
    are found as the `nexus` command finds them (`config`, else NEXUS_CONFIG, else
    ./config/nexus.toml, else the defaults). `url` overrides the database only.

    Any number of calls may run at once, from any task of the block. They share up to `pool_size`
    connections, and one more that hears of results once somebody waits for one. Waiting needs a
    ResultPoller in the service: it stores the results and tells of them.

    Raises InvalidArguments. Its methods raise RuntimeError outside of the block.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        config: Path | None = None,
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
        """Close the connections. Calls that other tasks still make end with an error."""
        self._database = None
        self._waiters.wake_all()
        # The block's own exception does not pass through what is closed here: trio-asyncio's
        # nurseries would put it into groups, or take it out of the caller's.
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
        """Dispatch a request and wait for its answer (`LLM.Service.call`).

        `model_or_complexity` is `simple`, `medium`, `complex`, or a model: `PROVIDER/MODEL` or its
        bare name. `messages` are `{"role": …, "content": …}`. `options` are the request's other
        fields (`task_type`, `max_tokens`, `tools`, …; docs/messages.md has them); `request_id` is
        a new UUID unless given, and one that was used before gets the first request's answer.
        `traceparent` (W3C) goes along in the message's headers: the trace goes on in the service,
        and the result says from where. Unless given, it is that of the OpenTelemetry span that the
        caller is in, if any.

        `timeout` is in seconds, `DEFAULT_TIMEOUT` unless given, and also tells the service when to
        give up. With `wait=False`, `Enqueued` is returned at once, `result` fetches the answer, and
        the service has no time limit unless `timeout` is given.

        Raises the errors of `client.errors`. Nothing is sent if the arguments are no valid request
        or no service is running. Cancelled, nothing is left here; a request that was sent already
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
        """Dispatch a request and hear its answer as it comes.

            async with service.stream("simple", messages) as stream:
                async for text in stream:       # or `Restarted`: what came before is void
                    ...
            stream.answer                       # as `call` returns it

        Arguments and errors as for `call`; those after the dispatch are raised by the iteration.
        Leaving the block early, or being cancelled, leaves the request with the service.
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

        (`LlmRequestWorker.enqueue_llm_request`.) `options` as for `call`, `timeout` in seconds
        among them. Raises InvalidArguments, Unavailable if the database is.
        """
        envelope = arguments.build_task(task_type, messages, options)
        with _unavailable(envelope.request.request_id):
            await self._db.send(self._queue, [envelope])
        return envelope.request.request_id

    async def send(self, envelopes: Iterable[Envelope]) -> None:
        """Put requests that `build_request` made into the queue, all or none."""
        with _unavailable():
            await self._db.send(self._queue, envelopes)

    async def result(self, request_id: str, timeout: float = 0.0) -> LLMResult:
        """The result of a request, waiting for it up to `timeout` seconds; 0: one look.

        A failed request's result is returned as any other, with a `Failure` as its `outcome`.
        Raises Timeout if there is no result by then, Unavailable if the database is.
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
        """Have a request end unanswered, as the error `cancelled`; what it was found to be.

        `queued`: it ends when a service leases it, soon. `running`: its call is cut off, and may
        have been paid; an answer that comes first is published. `ended`: it stays as it is.
        `unknown`: it ends so if it is sent within seven days. `why` stands in its result.

        Cancelling the task that waits in `call`, or leaving a stream, cancels no request. Raises
        InvalidArguments, Unavailable if the database is.
        """
        with _unavailable(request_id):
            try:
                return await self._db.cancel(request_id, why)
            except StorageRefused as error:
                raise InvalidArguments(str(error)) from error

    # -- knowing

    @property
    def queues(self) -> QueueClient:
        """PGMQ by hand, on this client's connections (`PgmqClient`)."""
        return QueueClient(self._db, self._settings.queue)

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
        """Look, wait until something is heard, look again. A database that is away is borne until
        the time is over: the request is safe in its queue. What its owner has to mend is not."""
        trouble: StorageUnavailable | None = None
        # Waiting begins before the first look, so that what is stored in between is heard of.
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
