"""A bridge from the caller's library, trio or asyncio, to asyncpg, which runs on asyncio.

In an asyncio program the driver runs on the program's own loop. In a trio program it runs on a
trio-asyncio loop that is open as long as the client.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, Protocol, TypeVar

import sniffio
import trio_asyncio  # type: ignore[import-untyped]

from nexus_actors.storage.postgres.connection import collapsed_groups
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS, describe, translate, translated

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class Bridge(Protocol):
    """Runs an asyncio coroutine function for a task of the caller's library.

    Raises the storage ports' errors instead of the driver's. Cancelling the caller cancels the
    operation; the caller sees its own library's cancellation.
    """

    async def __call__(
        self, operation: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...


@asynccontextmanager
async def open_bridge() -> AsyncIterator[Bridge]:
    """Open a bridge for the running library."""
    if sniffio.current_async_library() == "asyncio":
        yield _direct
        return
    with collapsed_groups():
        async with trio_asyncio.open_loop() as loop:
            loop.set_exception_handler(_log_stray_exception)

            async def across(
                operation: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
            ) -> Any:
                # The caller's cancellation would be trio's. An asyncio CancelledError means that
                # the loop is closing.
                with translated():
                    return await trio_asyncio.aio_as_trio(operation, loop=loop)(*args, **kwargs)

            yield across


async def _direct(operation: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
    try:
        return await operation(*args, **kwargs)
    except asyncio.CancelledError:
        # The caller's own cancellation must not become an error.
        raise
    except DRIVER_ERRORS as error:
        raise translate(error) from error


def _log_stray_exception(_loop: object, context: dict[str, Any]) -> None:
    """Log an exception of an asyncio callback. Otherwise it would end the caller's block."""
    error = context.get("exception")
    reason = describe(error) if isinstance(error, BaseException) else ""
    log.warning("asyncio: %s %s", context.get("message", ""), reason)
