"""Runs a source on trio in a thread of its own, for the screen on asyncio, so that the screen never
waits for the source."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, Unpack

import trio

from nexus_actors.observer.snapshots import (
    ActorSnapshot,
    LetterSnapshot,
    LogLine,
    Overview,
    ProviderSnapshot,
    RequestSnapshot,
    TraceSnapshot,
    TreeSnapshot,
    WaitingSnapshot,
)
from nexus_actors.observer.source import Action, Source

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_ENDED = "the thread of trio has ended"


class TrioThread:
    """A thread that runs trio functions for an asyncio program, and `background` beside them. Use
    `open_trio`."""

    def __init__(self, background: Callable[[], Awaitable[None]]) -> None:
        self._background = background
        self._loop = asyncio.get_running_loop()
        self._open = asyncio.Event()
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None
        self._futures: set[asyncio.Future[Any]] = set()
        """The futures of the calls that run."""
        self._nursery: trio.Nursery | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    async def run(self, function: Callable[[Unpack[Ts]], Awaitable[T]], *arguments: *Ts) -> T:
        """Run a function in the thread; returns or raises what it does. If cancelled, it cancels
        the function too. Raises RuntimeError if the thread has ended, or ends meanwhile."""
        if self._nursery is None or self._token is None or self._ended.is_set():
            raise RuntimeError(_ENDED) from self._failure
        future: asyncio.Future[T] = self._loop.create_future()
        scope = trio.CancelScope()

        async def job() -> None:
            with scope:
                try:
                    result = await function(*arguments)
                except Exception as error:  # noqa: BLE001 - raised by `run`
                    self._tell(partial(_fail, future, error))
                else:
                    self._tell(partial(_settle, future, result))

        self._futures.add(future)
        try:
            self._token.run_sync_soon(self._nursery.start_soon, job)
            return await future
        except asyncio.CancelledError:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(scope.cancel)
            raise
        finally:
            self._futures.discard(future)

    def _tell(self, what: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(what)

    def begin(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="nexus observer: trio", daemon=True).start()

    async def opened(self) -> None:
        """Wait until the thread accepts functions."""
        await self._open.wait()

    async def end(self) -> None:
        """Cancel all functions and wait for the thread to end. Raises its failure, if it failed."""
        if self._token is not None and self._nursery is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._nursery.cancel_scope.cancel)
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001 - `end` raises it
            self._failure = error
        self._tell(self._finish)

    def _finish(self) -> None:
        self._open.set()
        self._ended.set()
        for future in self._futures:
            error = RuntimeError(_ENDED)
            error.__cause__ = self._failure
            _fail(future, error)

    async def _main(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery, self._token = nursery, trio.lowlevel.current_trio_token()
            self._tell(self._open.set)
            await self._background()
            raise RuntimeError("what runs beside the questions has returned")


def _settle(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


@asynccontextmanager
async def open_trio(background: Callable[[], Awaitable[None]]) -> AsyncIterator[TrioThread]:
    """Run a trio thread during the block. `background` must not return by itself."""
    thread = TrioThread(background)
    thread.begin()
    await thread.opened()
    try:
        yield thread
    finally:
        await thread.end()


class ThreadedSource:
    """Makes a source on trio available to asyncio."""

    def __init__(self, thread: TrioThread, source: Source) -> None:
        self._thread = thread
        self._source = source
        self.subject = source.subject

    async def overview(self) -> Overview:
        """See Source."""
        return await self._thread.run(self._source.overview)

    async def trees(self) -> Sequence[TreeSnapshot]:
        """See Source."""
        return await self._thread.run(self._source.trees)

    async def providers(self) -> Sequence[ProviderSnapshot]:
        """See Source."""
        return await self._thread.run(self._source.providers)

    async def requests(self) -> Sequence[RequestSnapshot]:
        """See Source."""
        return await self._thread.run(self._source.requests)

    async def request(self, request_id: str) -> str:
        """See Source."""
        return await self._thread.run(self._source.request, request_id)

    async def waiting(self) -> Sequence[WaitingSnapshot]:
        """See Source."""
        return await self._thread.run(self._source.waiting)

    async def letters(self) -> Sequence[LetterSnapshot]:
        """See Source."""
        return await self._thread.run(self._source.letters)

    async def letter(self, number: int) -> str:
        """See Source."""
        return await self._thread.run(self._source.letter, number)

    async def log(self) -> Sequence[LogLine]:
        """See Source."""
        return await self._thread.run(self._source.log)

    async def actor(self, node: str, name: str) -> ActorSnapshot:
        """See Source."""
        return await self._thread.run(self._source.actor, node, name)

    async def trace(self, node: str, name: str) -> TraceSnapshot:
        """See Source."""
        return await self._thread.run(self._source.trace, node, name)

    async def end_trace(self, node: str, name: str) -> None:
        """See Source."""
        await self._thread.run(self._source.end_trace, node, name)

    def meant(self, action: Action) -> Action:
        """See Source."""
        return self._source.meant(action)

    async def act(self, action: Action) -> str:
        """See Source."""
        return await self._thread.run(self._source.act, action)
