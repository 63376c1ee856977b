"""What a statement of `nexus remote` prints and gives: to its asker alone, and bounded."""

import contextlib
import inspect
import io
import reprlib
import sys
import traceback
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Literal, TypeVar

Channel = Literal["out", "err"]
Piece = tuple[Channel, str]
T = TypeVar("T")

MOST_UNSENT: Final = 1_000_000
"""Characters that wait to be sent; what a statement prints beyond that is cut."""
LONGEST_SHOWN: Final = 20_000
"""Characters of a value; what is longer is cut in its middle, and `print` shows it whole."""
_EACH: Final = 50
"""Characters that a piece counts as besides its own."""
_CUT: Final = "\n… cut: more was printed than could be sent meanwhile\n"

_bounded = reprlib.Repr()
_bounded.maxlist = _bounded.maxtuple = _bounded.maxdict = 100
_bounded.maxset = _bounded.maxfrozenset = _bounded.maxdeque = 100
_bounded.maxstring = _bounded.maxlong = _bounded.maxother = LONGEST_SHOWN


class Output:
    """What was printed and is not sent. `on_more` is called when there is something to send."""

    def __init__(self, on_more: Callable[[], None]) -> None:
        self._on_more = on_more
        self._pieces: list[Piece] = []
        self._size = 0
        self._out, self._err = _Stream(self, "out"), _Stream(self, "err")

    def put(self, channel: Channel, text: str) -> None:
        """Have a text sent, or what there is room for."""
        room = MOST_UNSENT - self._size
        if not text or room <= 0:
            return
        if len(text) + _EACH > room:
            text = text[:room] + _CUT
        self._size += len(text) + _EACH
        self._pieces.append((channel, text))
        self._on_more()

    def take(self) -> list[Piece]:
        """What is to be sent, in order; what follows each other on a channel is one piece."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        runs = groupby(pieces, key=itemgetter(0))
        return [(channel, "".join(text for _, text in run)) for channel, run in runs]

    def show(self, value: object) -> None:
        """As Python's own prompt shows what an expression gives: None is not shown."""
        if value is None:
            return
        told = "  # not awaited: put await before it" if inspect.iscoroutine(value) else ""
        self.put("out", f"{shown(value)}{told}\n")

    def tell(self, error: BaseException) -> None:
        """What a statement was ended by, with its traceback."""
        self.put("err", "".join(traceback.format_exception(error)))

    @contextlib.contextmanager
    def taking(self, show: Callable[[object], None]) -> Iterator[None]:
        """Take what is printed, and what expressions give; only for what has no checkpoint. Who
        asks for input learns that there is none."""
        hook, stdin = sys.displayhook, sys.stdin
        sys.displayhook, sys.stdin = show, io.StringIO()
        try:
            with contextlib.redirect_stdout(self._out), contextlib.redirect_stderr(self._err):
                yield
        finally:
            sys.displayhook, sys.stdin = hook, stdin


class _Stream(io.TextIOBase):
    def __init__(self, output: Output, channel: Channel) -> None:
        self._output = output
        self._channel: Channel = channel

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._output.put(self._channel, text)
        return len(text)

    def writable(self) -> bool:
        return True


@types.coroutine
def captured(
    coroutine: Coroutine[Any, Any, T],
    taking: Callable[[], contextlib.AbstractContextManager[None]],
) -> Generator[Any, Any, T]:
    """Run it, `taking` what each step of it prints; while it waits, others print as ever."""
    step: Callable[[Any], Any] = coroutine.send
    value: Any = None
    while True:
        with taking():
            try:
                trap = step(value)
            except StopIteration as stop:
                result: T = stop.value
                return result
        try:
            step, value = coroutine.send, (yield trap)
        except BaseException as error:  # noqa: BLE001 - handed on, as it is
            step, value = coroutine.throw, error


def shown(value: object) -> str:
    """Its `repr`, with bounds. Raises what its `repr` does."""
    text = _bounded.repr(value)
    if len(text) <= LONGEST_SHOWN:
        return text
    half = LONGEST_SHOWN // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters … {text[-half:]}"
