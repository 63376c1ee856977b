"""Receives forms: limited in length, number and time, and parsed off the event loop."""

from collections import deque
from contextlib import aclosing
from typing import Final

import trio
from starlette.requests import ClientDisconnect, Request

LONGEST_FORM: Final = 64 * 1024
"""Bytes."""
MOST_FIELDS: Final = 40
FORM_TIMEOUT: Final = 10.0
"""Seconds for a form to arrive."""
AT_ONCE: Final = 1
"""Long forms that are parsed at once: they share the interpreter with the pipeline."""
_SHORT: Final = 4 * 1024
"""Bytes up to which a form is parsed on the event loop."""
_DIGITS: Final = "0123456789abcdefABCDEF"
_ESCAPES: Final = [
    (f"%{high}{low}".encode(), bytes([value]))
    for high in _DIGITS
    for low in _DIGITS
    if (value := int(high + low, 16)) != ord("%")
]


class BadForm(Exception):
    """The body is too long, not a form, or took too long to arrive."""


class Bodies:
    """Receives forms. Each occupies one of the server's connections meanwhile, so beyond `most` at
    once the oldest is cancelled."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._coming: deque[trio.CancelScope] = deque()
        self._limiter = trio.CapacityLimiter(AT_ONCE)

    async def form(self, request: Request, longest: int = LONGEST_FORM) -> dict[str, str]:
        """The first value of each field of a form of `longest` bytes at most. Raises BadForm."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise BadForm("expected a form")
        body = bytes(await self._body(request, longest))
        if len(body) <= _SHORT:
            return fields_of(body)
        return await trio.to_thread.run_sync(fields_of, body, limiter=self._limiter)

    async def _body(self, request: Request, longest: int) -> bytearray:
        if len(self._coming) >= self._most:
            self._coming.popleft().cancel()
        body = bytearray()
        scope = trio.CancelScope(deadline=trio.current_time() + FORM_TIMEOUT)
        self._coming.append(scope)
        try:
            with scope:
                async with aclosing(request.stream()) as pieces:
                    async for piece in pieces:
                        body += piece
                        if len(body) > longest:
                            raise BadForm(f"expected {longest:,} bytes at most")
        except ClientDisconnect:
            raise BadForm("expected all of it") from None
        finally:
            if scope in self._coming:
                self._coming.remove(scope)
        if scope.cancelled_caught:
            raise BadForm(f"expected it within {FORM_TIMEOUT:g} s, and sooner where many send some")
        return body


def fields_of(body: bytes) -> dict[str, str]:
    """The first value of each field, with CRLF converted to LF. Raises BadForm.

    The standard library's parser takes seconds for a few MB of escapes, with an object for each.
    This one makes a pass for each possible escape, at the speed of `bytes.replace`.
    """
    if body.count(b"&") >= MOST_FIELDS:
        raise BadForm("expected a form of UTF-8, with few fields")
    found: dict[str, str] = {}
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        try:
            found.setdefault(_unquoted(name), _unquoted(value).replace("\r\n", "\n"))
        except UnicodeDecodeError:
            raise BadForm("expected a form of UTF-8, with few fields") from None
    found.pop("", None)
    return found


def _unquoted(text: bytes) -> str:
    text = text.replace(b"+", b" ")
    if b"%" in text:
        for escape, byte in _ESCAPES:
            text = text.replace(escape, byte)
        text = text.replace(b"%25", b"%")  # last, so that its result is not decoded again
    return text.decode()
