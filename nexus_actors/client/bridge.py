"""From the caller's library, trio or asyncio, to asyncpg, which lives on asyncio.

In an asyncio program the driver runs on the program's own loop; in a trio program on a trio-asyncio
loop that is open for as long as the client is.
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

    Raises the storage ports' errors in place of the driver's. Cancelling the caller cancels the
    operation, and comes out as the caller's own kind of cancellation.
    """

    async def __call__(
        self, operation: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...


@asynccontextmanager
async def open_bridge() -> AsyncIterator[Bridge]:
    """A bridge for the library that is running."""
    if sniffio.current_async_library() == "asyncio":
        yield _direct
        return
    with collapsed_groups():
        async with trio_asyncio.open_loop() as loop:
            loop.set_exception_handler(_log_stray_exception)

            async def across(
                operation: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
            ) -> Any:
                # An asyncio CancelledError that arrives here is no cancellation of the caller's,
                # which would be trio's: the loop is closing.
                with translated():
                    return await trio_asyncio.aio_as_trio(operation, loop=loop)(*args, **kwargs)

            yield across


async def _direct(operation: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
    try:
        return await operation(*args, **kwargs)
    except asyncio.CancelledError:
        # Here it is the caller's own, and to turn it into an error would undo the cancellation.
        raise
    except DRIVER_ERRORS as error:
        raise translate(error) from error


def _log_stray_exception(_loop: object, context: dict[str, Any]) -> None:
    """Without a handler of ours, an exception in any asyncio callback would end the caller's
    block.
    """
    error = context.get("exception")
    reason = describe(error) if isinstance(error, BaseException) else ""
    log.warning("asyncio: %s %s", context.get("message", ""), reason)
