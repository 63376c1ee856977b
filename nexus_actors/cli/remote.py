"""`nexus remote`: a Python prompt inside the running service (`operations/remote.py`)."""

import ast
import codeop
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from json import dumps, loads
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

from cyclopts import Parameter

from nexus_actors.cli import end_at_once, exit_codes
from nexus_actors.cli.options import AsJson, ConfigPath
from nexus_actors.cli.report import CommandError, note, print_json, say, say_text
from nexus_actors.cli.service import service_place
from nexus_actors.operations import control_client

HISTORY_LENGTH: Final = 1000
COMPLETION_TIMEOUT: Final = 2.0
"""Seconds that the Tab key waits for a service that is busy."""
_CHUNK: Final = 1 << 16
_EXIT_CODES: Final = {"failed": exit_codes.FAILED, "interrupted": exit_codes.INTERRUPTED}
_INTERRUPT: Final = {signal.SIGINT}
_STREAMS: Final = ("out", "err")

Show = Callable[[str, str], None]
"""Is given each piece of what a statement prints: `out` or `err`, and the text."""
Execute = Annotated[
    str | None,
    Parameter(
        name=["--execute", "-e"],
        help="Run this statement and exit. Default: a prompt; from a pipe, its statements.",
    ),
]


def remote(*, execute: Execute = None, config: ConfigPath = None, json: AsJson = False) -> int:
    """Open a Python prompt inside the running service.

    Names: app (the Application), tree(), call(NAME, MESSAGE), cast, get_state(NAME), whereis(NAME),
    in_work, gates, settings and more; await works at the top level. Ctrl-C interrupts the
    statement, not the service; Ctrl-D exits. A statement that computes for long blocks the whole
    service. Every line is written to the service's log. [security] remote = false turns this off.

    Exit code 1 if the statement of --execute or of the pipe raises.

    Example: nexus remote -e 'await tree()'
    """
    sock, answer = control_client.open_session(service_place(config).data_dir, "remote")
    with closing(sock):
        conversation = Conversation(sock)
        if execute is None and (json or not sys.stdin.isatty()):
            execute = sys.stdin.read()
        if execute is not None:
            return _once(conversation, execute, as_json=json)
        assert isinstance(answer, dict)  # noqa: S101 - the service's greeting
        note(str(answer["banner"]))
        _prompt(conversation)
    return exit_codes.OK


class Conversation:
    """The connection, as the asker uses it. Raises CommandError once the service has ended it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()

    def run(self, source: str, show: Show) -> str:
        """Have a statement run, and show what it prints; how it ended. Ctrl-C interrupts it; the
        second ends this process, and with it the session."""
        # Held back until the line is sent: the interruption is one more.
        signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
        with self._heeding():
            self._send({"run": source})
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
            while True:
                for name, text in self._next(None).items():
                    if name == "done":
                        return str(text)
                    if name in ("out", "err"):
                        show(name, text)

    def complete(self, text: str) -> list[str]:
        """What it may go on with; nothing if the service does not say so in time."""
        deadline = time.monotonic() + COMPLETION_TIMEOUT
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it could lose what is being read
        try:
            self._send({"complete": text})
            while (answer := self._next(deadline)).get("of") != text:
                pass
        except (TimeoutError, CommandError):
            return []
        finally:
            signal.signal(signal.SIGINT, before)
        return [str(it) for it in answer["completions"]]

    @contextmanager
    def _heeding(self) -> Iterator[None]:
        def interrupt(_number: int, _frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, end_at_once)
            self._send({"interrupt": True})

        before = signal.getsignal(signal.SIGINT)
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _send(self, request: object) -> None:
        self._sock.settimeout(None)
        with suppress(BrokenPipeError, ConnectionResetError):  # the next answer tells
            self._sock.sendall(dumps(request).encode() + b"\n")

    def _next(self, deadline: float | None) -> dict[str, Any]:
        """The next answer. TimeoutError if it is not there by then."""
        while (end := self._data.find(b"\n")) < 0:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
            try:
                chunk = self._sock.recv(_CHUNK)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise CommandError("the service has ended the session; its log says why")
            self._data += chunk
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        answer = loads(line)
        assert isinstance(answer, dict)  # noqa: S101 - the service's own
        return answer


def _once(conversation: Conversation, source: str, *, as_json: bool) -> int:
    pieces: list[tuple[str, str]] = []
    how = conversation.run(source, (lambda *piece: pieces.append(piece)) if as_json else _show)
    if as_json:
        texts = {name: "".join(text for it, text in pieces if it == name) for name in _STREAMS}
        print_json({"ended": how, **texts})
    return _EXIT_CODES.get(how, exit_codes.OK)


def _show(name: str, text: str) -> None:
    say_text(text, end="", aside=name == "err")


def _prompt(conversation: Conversation) -> None:
    """Read and run, until Ctrl-D or exit()."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it empties the line that is typed
    with _edited(conversation.complete):
        lines: list[str] = []
        while True:
            try:
                lines.append(input("... " if lines else ">>> "))
            except EOFError:
                say("")
                return
            except KeyboardInterrupt:
                say("")
                lines.clear()
                continue
            source = "\n".join(lines)
            if not source.strip():
                lines.clear()
            elif is_complete(source):
                lines.clear()
                if conversation.run(source, _show) == "exit":
                    return


_compile = codeop.CommandCompiler()
_compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def is_complete(source: str) -> bool:
    """Whether these lines are a statement; also where they can never be one, which the service
    tells."""
    try:
        return _compile(source, "<nexus remote>", "single") is not None
    except (SyntaxError, ValueError, OverflowError):
        return True


@contextmanager
def _edited(complete: Callable[[str], list[str]]) -> Iterator[None]:
    """Lines can be edited, called back and completed, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    found: list[str] = []

    def nth(text: str, state: int) -> str | None:
        if state == 0:
            found[:] = complete(text) if text else ["    "]
        return found[state] if state < len(found) else None

    readline.set_completer(nth)
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    readline.set_history_length(HISTORY_LENGTH)
    history = history_file()
    with suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        with suppress(OSError):  # a full disk, a home that is not there: it is only a history
            history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(history, os.O_WRONLY | os.O_CREAT, 0o600))
            history.chmod(0o600)
            readline.write_history_file(history)


def history_file() -> Path:
    """In the user's directory for what programs keep."""
    base = os.environ.get("XDG_STATE_HOME", "")
    state = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return state / "nexus" / "remote_history"
