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
from nexus_actors.cli.service import naming_config, service_place
from nexus_actors.operations import control_client

HISTORY_LENGTH: Final = 1000
COMPLETION_TIMEOUT: Final = 2.0
"""Seconds that the Tab key waits for a busy service."""
_CHUNK: Final = 1 << 16
_EXIT_CODES: Final = {"failed": exit_codes.FAILED, "interrupted": exit_codes.INTERRUPTED}
_INTERRUPT: Final = {signal.SIGINT}
_STREAMS: Final = ("out", "err")

Show = Callable[[str, str], None]
"""Called with each piece of output of a statement: `out` or `err`, and the text."""
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
    data_dir = service_place(config).data_dir
    with naming_config(config):
        sock, answer = control_client.open_session(data_dir, "remote")
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
    """A session with the service. Raises CommandError after the service has ended it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()

    def run(self, source: str, show: Show) -> str:
        """Run a statement and show its output. Returns how it ended. The first Ctrl-C interrupts
        it, the second ends this process and so the session."""
        # SIGINT is blocked while the statement is sent, since the interrupt is a message, too.
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
        """Completions of the text; none if the service does not answer in time."""
        deadline = time.monotonic() + COMPLETION_TIMEOUT
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it could lose data being read
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
        with suppress(BrokenPipeError, ConnectionResetError):  # the next read reports it
            self._sock.sendall(dumps(request).encode() + b"\n")

    def _next(self, deadline: float | None) -> dict[str, Any]:
        """The next answer. Raises TimeoutError at the deadline."""
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
    """Read and run statements until Ctrl-D or exit()."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it discards the typed line
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
    """Whether these lines are a complete statement, or can never become one, which the service then
    reports."""
    try:
        return _compile(source, "<nexus remote>", "single") is not None
    except (SyntaxError, ValueError, OverflowError):
        return True


@contextmanager
def _edited(complete: Callable[[str], list[str]]) -> Iterator[None]:
    """Enable line editing, history and completion if Python has readline."""
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
        with suppress(OSError):  # a full disk or a missing home costs only the history
            history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(history, os.O_WRONLY | os.O_CREAT, 0o600))
            history.chmod(0o600)
            readline.write_history_file(history)


def history_file() -> Path:
    """The history file in the user's state directory."""
    base = os.environ.get("XDG_STATE_HOME", "")
    state = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return state / "nexus" / "remote_history"
