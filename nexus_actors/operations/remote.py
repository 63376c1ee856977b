"""`nexus remote`: a Python prompt inside the running service, over its control socket.

After the request that opens a session (`control.py`), both sides send one JSON object per line:

    {"run": SOURCE}      → any number of {"out": TEXT} and {"err": TEXT}, then {"done": HOW}
    {"interrupt": true}  → the running statement is cancelled, and its HOW is "interrupted"
    {"complete": TEXT}   → {"completions": [TEXT, …], "of": TEXT}

HOW is "ok", "failed", "interrupted" or "exit". Each session has its own nursery for everything that
it starts. An exception is reported to its client and ends nothing else, and what still runs when
the client leaves is cancelled. Code that blocks the event loop blocks the service: this cannot be
prevented, since a session may run any code.
"""

import ast
import builtins
import inspect
import json
import math
import platform
import pwd
import types
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, Literal

import structlog
import trio

from nexus_actors.operations import private
from nexus_actors.operations.remote_names import completions
from nexus_actors.operations.remote_output import Output, captured
from nexus_actors.work.wake import Wake

log = structlog.get_logger("nexus.remote")

How = Literal["ok", "failed", "interrupted", "exit"]

MOST_SESSIONS: Final = 4
LONGEST_LINE: Final = 1_000_000
"""The most bytes of a line from the client."""
_FILENAME: Final = "<nexus remote>"
_BANNER: Final = """\
{service}: Python {python}, inside the service's process. Top-level await works; Ctrl-C interrupts a
statement that waits, Ctrl-D leaves. What computes for long, or blocks, stops the whole service
meanwhile. Every line is logged. At hand: {names}."""


class Remote:
    """Runs the sessions. `names` returns the names at the prompt, for each session; `allowed` says
    whether a session may begin."""

    def __init__(
        self,
        service: str,
        names: Callable[[], Mapping[str, object]],
        *,
        allowed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._service = service
        self._names = names
        self._allowed = allowed
        self._sessions = 0

    async def __call__(self, stream: trio.SocketStream) -> None:
        """Run one session until its client leaves. Raises nothing but Cancelled."""
        user = _user(private.peer(stream.socket))
        if not self._allowed():
            refusal = "it is turned off: [security] remote = false in the service's config"
            await _send(stream, {"error": refusal})
            return
        if self._sessions >= MOST_SESSIONS:
            refusal = f"{self._sessions} sessions of nexus remote are open, and no more are taken"
            await _send(stream, {"error": refusal})
            return
        self._sessions += 1
        log.info("a remote session begins", user=user)
        try:
            await self._converse(stream, user)
        except (Exception, BaseExceptionGroup, SystemExit, KeyboardInterrupt):
            # The session has broken its own nursery, for example by leaving a cancel scope open.
            await trio.lowlevel.checkpoint_if_cancelled()
            log.exception("a remote session failed", user=user)
        finally:
            self._sessions -= 1
            log.info("a remote session has ended", user=user)

    async def _converse(self, stream: trio.SocketStream, user: str) -> None:
        async with trio.open_nursery() as nursery:
            session = _Session(stream, nursery, self._names(), user)
            banner = _BANNER.format(
                service=self._service,
                python=platform.python_version(),
                names=", ".join(sorted(session.names.keys() - {"__builtins__", "__name__"})),
            )
            await _send(stream, {"ok": {"banner": banner}})
            await session.serve()
            nursery.cancel_scope.cancel()


class _Session:
    """One client's session. Statements run one after the other."""

    def __init__(
        self,
        stream: trio.SocketStream,
        nursery: trio.Nursery,
        names: Mapping[str, object],
        user: str,
    ) -> None:
        self._stream = stream
        self._nursery = nursery
        self._user = user
        self._wake = Wake()
        self._output = Output(self._wake.set)
        self._answers: list[Mapping[str, object]] = []
        """Answers to be sent after earlier output."""
        self._statement: trio.CancelScope | None = None
        self.names: dict[str, Any] = {
            **names,
            "spawn": self.spawn,
            "trio": trio,
            "__name__": "__remote__",
            "__builtins__": builtins,
        }

    async def serve(self) -> None:
        """Serve until the client leaves or sends something invalid."""
        self._nursery.start_soon(self._send_all)
        lines = _Lines(self._stream)
        while (line := await lines.next()) is not None:
            match line:
                case {"run": str(source)} if self._statement is None:
                    self._statement = trio.CancelScope()
                    self._nursery.start_soon(self._run, source, self._statement)
                case {"interrupt": True}:
                    if self._statement is not None:
                        self._statement.cancel()
                case {"complete": str(text)}:
                    self._answer({"completions": completions(text, self.names), "of": text})
                case _:
                    return

    def spawn(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run an async function in the background until this session ends. Its output and exception
        are shown here."""

        async def run() -> None:
            await self._guarded(_calling(partial(function, *arguments)), trio.CancelScope())

        self._nursery.start_soon(run, name=getattr(function, "__name__", None))

    async def _run(self, source: str, scope: trio.CancelScope) -> None:
        for line in source.splitlines():
            log.info("remote", user=self._user, line=line)
        how: How = "failed"
        try:
            code = _compiled(source)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
            self._output.tell(error.with_traceback(None))
        else:
            how = await self._guarded(_calling(types.FunctionType(code, self.names)), scope)
        self._statement = None
        self._answer({"done": how})

    async def _guarded(
        self, coroutine: Coroutine[Any, Any, object], scope: trio.CancelScope
    ) -> How:
        """Run a function and report any exception to this client only. Cancellation by us
        passes."""
        with scope:
            try:
                await captured(coroutine, partial(self._output.taking, self._show))
            except SystemExit:
                return "exit"
            except BaseException as error:  # noqa: BLE001 - see above
                ours = trio.current_effective_deadline() <= trio.current_time()
                if not (ours and isinstance(error, trio.Cancelled)):
                    self._output.tell(_from_its_statement(error))
                await trio.lowlevel.checkpoint_if_cancelled()
                return "failed"
            return "ok"
        return "interrupted"

    def _show(self, value: object) -> None:
        """`sys.displayhook` while a statement runs."""
        self._output.show(value)
        if value is not None:
            self.names["_"] = value

    def _answer(self, answer: Mapping[str, object]) -> None:
        self._answers.append(answer)
        self._wake.set()

    async def _send_all(self) -> None:
        while True:
            await self._wake.wait(math.inf)
            answers, self._answers = self._answers, []
            pieces: list[Mapping[str, object]] = [{c: text} for c, text in self._output.take()]
            try:
                for it in (*pieces, *answers):
                    await _send(self._stream, it)
            except trio.BrokenResourceError:
                self._nursery.cancel_scope.cancel()
                return


class _Lines:
    """Reads JSON objects, one per line."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._data = bytearray()

    async def next(self) -> object:
        """The next object; None at the end, or if a line is invalid or too long."""
        while (end := self._data.find(b"\n")) < 0:
            try:
                chunk = await self._stream.receive_some()
            except trio.BrokenResourceError:
                return None
            if not chunk or len(self._data) > LONGEST_LINE:
                return None
            self._data += chunk
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            return None


def _compiled(source: str) -> types.CodeType:
    """Compile like Python's prompt: values of expressions go to `sys.displayhook`."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    parsed = compile(source, _FILENAME, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    statements = ast.Interactive(parsed.body)
    code: types.CodeType = compile(statements, _FILENAME, "single", flags, dont_inherit=True)
    return code


async def _calling(function: Callable[[], object]) -> None:
    outcome = function()
    if inspect.isawaitable(outcome):
        await outcome


def _from_its_statement(error: BaseException) -> BaseException:
    """Remove our own frames from the traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != _FILENAME:
        trace = trace.tb_next
    return error if trace is None else error.with_traceback(trace)


async def _send(stream: trio.SocketStream, answer: Mapping[str, object]) -> None:
    await stream.send_all(json.dumps(answer).encode() + b"\n")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
