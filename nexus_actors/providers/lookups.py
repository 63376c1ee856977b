"""DNS lookups in threads that no other work waits for.

`getaddrinfo` can be abandoned but not stopped: if a name server does not respond, the thread is
busy for half a minute. So lookups have their own thread limiters: one for hosts that requests name,
and one for providers. However many lookups hang, files are written and providers are called.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, cast

import trio

MOST_FOREIGN: Final = 64
"""The most parallel lookups of hosts that requests name, including abandoned ones."""
MOST_OWN: Final = 64
"""The most parallel lookups of other hosts, such as the providers'."""
_patience: ContextVar["_Patience | None"] = ContextVar("nexus_lookup_patience", default=None)
_resolver: trio.lowlevel.RunVar["_Resolver"] = trio.lowlevel.RunVar("nexus_resolver")


async def look_up(host: str, seconds: float) -> list[Any]:
    """The result of `getaddrinfo`; empty if the host is unknown or there is no response within
    `seconds`. The time starts once there is a thread; the wait for one is bounded by the caller.
    """
    use_own_threads()
    found: list[Any] = []
    with _patient(seconds), suppress(OSError, UnicodeError):
        found = await trio.socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return found


def use_own_threads() -> None:
    """From now on, no lookup of this trio run uses the default thread limiter. A resolver that was
    set by other code stays."""
    try:
        _resolver.get()
    except LookupError:
        pass
    else:
        return
    ours = _Resolver()
    _resolver.set(ours)
    others = trio.socket.set_custom_hostname_resolver(ours)
    if others is not None:
        trio.socket.set_custom_hostname_resolver(others)


class _Patience:
    """The timeout of one lookup, which starts once it has a thread."""

    def __init__(self, scope: trio.CancelScope, seconds: float) -> None:
        self._scope = scope
        self._seconds = seconds
        self.begins()

    def waits(self) -> None:
        self._scope.deadline = float("inf")

    def begins(self) -> None:
        self._scope.deadline = trio.current_time() + self._seconds


@contextmanager
def _patient(seconds: float) -> Iterator[None]:
    with trio.CancelScope() as scope:
        token = _patience.set(_Patience(scope, seconds))
        try:
            yield
        finally:
            _patience.reset(token)


class _Resolver(trio.abc.HostnameResolver):
    def __init__(self) -> None:
        self._foreign = trio.CapacityLimiter(MOST_FOREIGN)
        self._own = trio.CapacityLimiter(MOST_OWN)

    async def getaddrinfo(self, host: Any, port: Any, *options: Any, **named: Any) -> Any:
        patience = _patience.get()
        threads = self._own if patience is None else _Timed(self._foreign, patience)
        return await trio.to_thread.run_sync(
            partial(socket.getaddrinfo, host, port, *options, **named),
            abandon_on_cancel=True,
            limiter=cast("trio.CapacityLimiter", threads),
        )

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        return await trio.to_thread.run_sync(
            partial(socket.getnameinfo, sockaddr, flags),
            abandon_on_cancel=True,
            limiter=self._own,
        )


class _Timed:
    """A limiter that tells a lookup when it waits for a thread and when it begins."""

    def __init__(self, limiter: trio.CapacityLimiter, patience: _Patience) -> None:
        self._limiter = limiter
        self._patience = patience

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        self._patience.waits()
        await self._limiter.acquire_on_behalf_of(borrower)
        self._patience.begins()

    def release_on_behalf_of(self, borrower: object) -> None:
        self._limiter.release_on_behalf_of(borrower)
