"""Why a connection to a server failed, in words that say what to fix."""

import os
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import trio

_UNKNOWN_NAME: Final = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def why_unconnected(error: BaseException) -> str:
    """The cause of the transport's error; of several, the most specific."""
    return min(map(_ranked, _causes(error, set())))[1]


def _ranked(cause: BaseException) -> tuple[int, str]:
    """Rank (lower is more specific) and description of a cause."""
    match cause:
        case socket.gaierror(errno=number) if number in _UNKNOWN_NAME:
            return 0, "there is no such name"
        case socket.gaierror():
            return 0, "its name cannot be looked up"
        case ssl.SSLCertVerificationError(verify_message=why):
            return 1, f"TLS: its certificate is not trusted ({why})"
        case ssl.SSLError(reason=why):
            return 2, f"TLS: {why or 'the handshake failed'}"
        case ConnectionRefusedError():
            return 3, "connection refused"
        case OSError(errno=int(number)):
            return 4, os.strerror(number)
        case TimeoutError() | trio.TooSlowError():
            return 5, "timed out"
        case _:
            return 6, "no connection"


def _causes(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    """The error, its causes, and the members of groups."""
    if id(error) in seen:
        return
    seen.add(id(error))
    yield error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for cause in (*inner, error.__cause__, error.__context__):
        if cause is not None:
            yield from _causes(cause, seen)
