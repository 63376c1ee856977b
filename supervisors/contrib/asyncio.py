"""A tree in a thread of its own, called from asyncio code.

The thread runs trio. Actors stay on trio; asyncio code calls and casts across:

    async with Bridge(tree) as bridge:  # in a coroutine of asyncio
        total = await bridge.call(names.via("counter"), Add(2))

Both threads see what is sent: requests and answers must be immutable, or given away.

`trio.from_thread.run` alone would be shorter, but it blocks its thread: each call that waits needs
one (`asyncio.to_thread`), and a cancelled asyncio task would leave its thread and call behind. So
calls cross over as callbacks: there by `TrioToken.run_sync_soon`, back by `call_soon_threadsafe`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, TypeVar

import trio

from supervisors._core.actor_ref import ActorRef, bad_timeout
from supervisors._core.messages import Call
from supervisors._core.reasons import ExitReason
from supervisors.application import Root, open_tree
from supervisors.errors import CallTimeout, NoProcess

R = TypeVar("R")

_LATE = 0.5
"""Seconds for the trio thread to report a timeout itself. After that it counts as blocked."""
_NOT_ENTERED = "the bridge does not run yet: enter it, async with Bridge(tree) as bridge"


class Bridge:
    """A tree that runs in its own thread for as long as the `async with` block; use it once.

    `bridge.ref` is the root's ref. Entering raises the StartError if the root does not start.
    Leaving stops the tree in order; a cancellation goes on only after that. If the root ends by
    itself, the block goes on, and calls raise NoProcess; `wait` returns the reason. A SystemExit
    or KeyboardInterrupt of an actor stops the tree, and is raised at the end of the block, unless
    the block itself raises.

    Only the event loop that entered it may call and wait; `cast` works in any thread. A loop that
    is closed before the block is left leaves the tree running, in a daemon thread, until the
    program ends. RuntimeError: it was not entered, is entered again, or the loop is another one.
    """

    def __init__(self, root: Root, *, grace: float = math.inf) -> None:
        """root, grace: as for `open_tree`."""
        self._root, self._grace = root, grace
        self._scope = trio.CancelScope()
        self._stopping = self._over = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._error: BaseException | None = None
        self._reason: ExitReason | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        if self._loop is not None:
            raise RuntimeError("a bridge is entered once: make another Bridge")
        self._loop = loop = asyncio.get_running_loop()
        self._started, self._ended = loop.create_future(), loop.create_future()
        self._thread = threading.Thread(target=self._run, name="supervisors", daemon=True)
        self._thread.start()
        try:
            await self._started
        except asyncio.CancelledError:
            await self._stop()
            raise
        if self._error is not None:
            await self._stop()
            raise self._error
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, where: object) -> None:
        await self._stop()
        if error is None and self._error is not None:
            raise self._error

    async def call(self, ref: ActorRef, request: Call[R], *, timeout: float = 5.0) -> R:
        """Ask, and wait at most `timeout` seconds for the answer, as `ActorRef.call` does.

        ref: a ref of this tree, or a name of one of its registries. Raises what `ActorRef.call`
        raises: ServerExited if the tree stops meanwhile, NoProcess if it has ended. After a
        cancellation or a CallTimeout, the request may still be handled if it was sent; its answer
        is dropped. While an actor blocks the trio thread, CallTimeout is raised half a second late.
        Calls of different asyncio tasks arrive in any order.
        """
        if not timeout >= 0:
            raise bad_timeout(timeout)
        answer, scope = self._own_loop().create_future(), trio.CancelScope()
        patience = None if timeout == math.inf else timeout + _LATE

        async def ask() -> None:
            try:
                with scope:
                    await trio.lowlevel.checkpoint_if_cancelled()  # cancelled before it was sent
                    self._post(answer, (await ref.call(request, timeout=timeout), None))
            except Exception as error:  # noqa: BLE001 - the caller gets it
                self._post(answer, (None, error))

        self._soon(lambda: None if self._over else self._nursery.start_soon(ask))
        try:
            futures = {answer, self._ended}
            await asyncio.wait(futures, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._soon(scope.cancel)
            raise
        if not answer.done():
            if self._ended.done():
                raise NoProcess(ref.name, request)
            self._soon(scope.cancel)
            raise CallTimeout(ref.name, request, timeout)
        value: R
        value, error = answer.result()
        if error is not None:
            raise error
        return value

    def cast(self, ref: ActorRef, message: object) -> None:
        """Send to handle_cast, as `ActorRef.cast` does. Lost if the tree has ended."""
        if self._loop is None:
            raise RuntimeError(_NOT_ENTERED)
        self._soon(lambda: ref.cast(message))

    async def wait(self) -> ExitReason:
        """Wait until the root has ended, by itself or because the block was left, and return why,
        as `ActorRef.wait` does; after that it returns at once. Raises the error of a failed start.
        """
        self._own_loop()
        await asyncio.wait({self._ended})
        if self._reason is None:
            raise self._error or RuntimeError("the tree was cancelled before it started")
        return self._reason

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError(_NOT_ENTERED)
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this bridge belongs to another event loop: make one for this loop")
        return self._loop

    async def _stop(self) -> None:
        self._stopping, cancelled = True, None
        self._soon(self._scope.cancel)
        while not self._ended.done():
            try:
                await asyncio.shield(self._ended)
            except asyncio.CancelledError as error:
                cancelled = error
        self._thread.join()
        if cancelled is not None:
            raise cancelled

    def _soon(self, function: Callable[[], object]) -> None:
        def run() -> None:
            try:
                function()
            except Exception:  # an exception in a callback would end the whole trio run
                logging.getLogger("supervisors").exception("a message from asyncio was lost")

        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(run)

    def _run(self) -> None:  # from here on, everything runs in the trio thread
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001 - raised in the block
            self._error = self._error or error
        self._post(self._started, None)
        self._post(self._ended, None)

    async def _main(self) -> None:
        async with trio.open_nursery() as self._nursery:  # outside, so that calls outlast the tree
            self._token = trio.lowlevel.current_trio_token()
            if self._stopping:
                self._scope.cancel()
            try:
                with self._scope:
                    async with open_tree(self._root, grace=self._grace) as self.ref:
                        self._post(self._started, None)
                        await self.ref.wait()
            except trio.Cancelled:  # not by our scope: the error is what ends the nursery
                raise
            except BaseException as error:  # noqa: BLE001 - raised in the block, without a group
                self._error = error
            finally:
                self._over = True
                if hasattr(self, "ref"):  # the root has ended, so this does not wait
                    with trio.CancelScope(shield=True):
                        self._reason = await self.ref.wait()

    def _post(self, future: asyncio.Future[Any], result: object) -> None:
        def settle() -> None:
            if not future.done():
                future.set_result(result)

        with suppress(RuntimeError):  # the loop is closed
            future.get_loop().call_soon_threadsafe(settle)
