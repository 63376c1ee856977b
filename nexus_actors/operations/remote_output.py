"""Output and values of statements of `nexus remote`: bounded, and only for their own client."""

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
"""The most characters that wait to be sent. Further output of a statement is dropped."""
LONGEST_SHOWN: Final = 20_000
"""The most characters of a value. A longer one is cut in the middle; `print` shows all of it."""
_EACH: Final = 50
"""The overhead of a piece, counted in characters."""
_CUT: Final = "\n… cut: more was printed than could be sent meanwhile\n"

_bounded = reprlib.Repr()
_bounded.maxlist = _bounded.maxtuple = _bounded.maxdict = 100
_bounded.maxset = _bounded.maxfrozenset = _bounded.maxdeque = 100
_bounded.maxstring = _bounded.maxlong = _bounded.maxother = LONGEST_SHOWN


class Output:
    """Output that is not sent yet. `on_more` is called when there is something to send."""

    def __init__(self, on_more: Callable[[], None]) -> None:
        self._on_more = on_more
        self._pieces: list[Piece] = []
        self._size = 0
        self._out, self._err = _Stream(self, "out"), _Stream(self, "err")

    def put(self, channel: Channel, text: str) -> None:
        """Append a text, or as much of it as there is room for."""
        room = MOST_UNSENT - self._size
        if not text or room <= 0:
            return
        if len(text) + _EACH > room:
            text = text[:room] + _CUT
        self._size += len(text) + _EACH
        self._pieces.append((channel, text))
        self._on_more()

    def take(self) -> list[Piece]:
        """Take everything in order. Consecutive texts of a channel become one piece."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        runs = groupby(pieces, key=itemgetter(0))
        return [(channel, "".join(text for _, text in run)) for channel, run in runs]

    def show(self, value: object) -> None:
        """Show a value like Python's prompt does: None is not shown."""
        if value is None:
            return
        hint = "  # not awaited: put await before it" if inspect.iscoroutine(value) else ""
        self.put("out", f"{shown(value)}{hint}\n")

    def tell(self, error: BaseException) -> None:
        """Show the exception that ended a statement, with its traceback."""
        self.put("err", "".join(traceback.format_exception(error)))

    @contextlib.contextmanager
    def taking(self, show: Callable[[object], None]) -> Iterator[None]:
        """Capture output and values of expressions. Only for code without checkpoints. Reading
        input raises an error."""
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
    """Run a coroutine and capture the output of each step. Other tasks print normally meanwhile."""
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
        except BaseException as error:  # noqa: BLE001 - passed on unchanged
            step, value = coroutine.throw, error


def shown(value: object) -> str:
    """The bounded `repr` of a value. Raises what its `repr` raises."""
    text = _bounded.repr(value)
    if len(text) <= LONGEST_SHOWN:
        return text
    half = LONGEST_SHOWN // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters … {text[-half:]}"
