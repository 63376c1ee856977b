"""The actor that is the model's process: started with it, crashed when it dies, gone with it."""

import json
import os
import secrets
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import structlog
import trio

from nexus_actors.providers.local_model.address import Address, Listening
from supervisors import GenServer, Status

STOP_TIMEOUT = 2.0
"""Seconds for the process to end by itself, before it is killed."""
LINE_LIMIT = 500
"""Characters kept of a line that the process writes."""
# What a native program may need of our environment. The rest holds other providers' keys.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_", "TMPDIR", "LD_", "DYLD_", "PYTHON", "VIRTUAL_ENV")
_PASSED_ON_TO_ENGINE = ("CUDA", "GGML", "GOMP", "HIP", "LLAMA", "OMP", "ROCR", "VK")

log = structlog.get_logger("nexus.local_model")


class LocalModelEnded(Exception):
    """The process has ended, or never began to listen."""


class _Child(NamedTuple):
    """The process, and the ends of its pipes that are ours."""

    process: trio.Process
    to: trio.abc.SendStream
    answer: trio.abc.ReceiveStream
    words: trio.abc.ReceiveStream


class LocalModelServer(GenServer):
    """Runs the model's process. Its end is the actor's crash, so the supervisor starts another.

    Loading takes seconds to minutes, so `init` does not wait for it: calls do. A process that ends
    again and again is started ever less often.
    """

    def __init__(
        self, name: str, wanted: Mapping[str, Any], start_timeout: float, address: Address
    ) -> None:
        """`wanted`: model_file, model, calls_at_once, context_window and max_tokens (tokens),
        threads. `start_timeout`: seconds for loading.
        """
        self._name = name
        self._wanted = wanted
        self._start_timeout = start_timeout
        self._address = address

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "provider": self._name,
                "start_timeout": self._start_timeout,
            },
        )

    async def init(self) -> None:
        """Begin to load."""
        self.spawn_link(self._run)

    async def _run(self) -> None:
        await trio.sleep(self._address.pause)
        self._address.starts()
        try:
            async with _child() as child:
                await self._serve(child)
        except (LocalModelEnded, OSError) as error:
            self._address.is_gone(str(error))
            raise

    async def _serve(self, child: _Child) -> NoReturn:
        words = deque[str](maxlen=3)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, child, words)
            why, loaded = await self._until_ended(child)
        # What it says once it serves may quote a prompt.
        raise LocalModelEnded(why if loaded or not words else f"{why}: {' '.join(words)}")

    async def _until_ended(self, child: _Child) -> tuple[str, bool]:
        """Load, serve; why the process ended, and whether the model had been loaded."""
        process = child.process
        key = secrets.token_urlsafe(32)
        url: str | None = None
        with trio.move_on_after(self._start_timeout) as loading:
            url = await _load(child, {**self._wanted, "api_key": key})
        if loading.cancelled_caught:
            process.kill()
            await process.wait()
            return f"the model was not loaded within {self._start_timeout:g} s", False
        if url is not None:
            self._address.is_here(Listening(url, key))
            log.info("the model is loaded", provider=self._name, url=url, pid=process.pid)
        status = await process.wait()
        return f"the model's process ended (status {status})", url is not None


async def _load(child: _Child, wanted: Mapping[str, Any]) -> str | None:
    """The URL once the model is loaded; None if the process ended before."""
    line = b""
    try:
        await child.to.send_all(json.dumps(wanted).encode() + b"\n")
        while not line.endswith(b"\n"):
            if not (piece := await child.answer.receive_some()):
                return None
            line += piece
    except trio.BrokenResourceError:
        return None
    return str(json.loads(line)["url"])


async def _drain(child: _Child, words: deque[str]) -> None:
    """Read what the process writes, so that it never waits for us; keep the last words."""
    rest = ""
    async for piece in child.words:
        *lines, rest = (rest + piece.decode(errors="replace")).split("\n")
        rest = rest[-LINE_LIMIT:]
        words.extend(line.strip()[-LINE_LIMIT:] for line in lines if line.strip())


@asynccontextmanager
async def _child() -> AsyncIterator[_Child]:
    """The process. However the block ends, it is gone; with us killed, it ends by itself."""
    process = await trio.lowlevel.open_process(
        # -P: what lies beside the program is none of its modules.
        [sys.executable, "-P", str(Path(__file__).with_name("child.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env={name: text for name, text in os.environ.items() if _is_passed_on(name)},
        # A Ctrl-C at the terminal is for us; calls in flight end before the model does.
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("a process was started without the pipes that were asked for")
    child = _Child(process, process.stdin, process.stdout, process.stderr)
    try:
        yield child
    finally:
        with trio.CancelScope(shield=True):
            for pipe in (child.to, child.answer, child.words):
                await pipe.aclose()
            with trio.move_on_after(STOP_TIMEOUT):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()


def _is_passed_on(name: str) -> bool:
    return name.startswith(_PASSED_ON + _PASSED_ON_TO_ENGINE) and "KEY" not in name
