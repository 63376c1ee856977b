"""Starts `nexus` commands by forking a process that has imported all of it: as a user's command in
everything but the seconds that Python takes to import.

A **zygote** is one process a test worker. It runs no trio and has no threads. Each child has a
working directory, an environment, arguments and streams of its own, and is left as `nexus` is.
"""

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
_CODE = struct.Struct("i")


class Child:
    """A command that runs, with what a test needs of `subprocess.Popen`."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        """Its exit code if it has ended, minus the signal's number if one ended it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises TimeoutExpired."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._status, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired("nexus", timeout or 0.0)
            read = os.read(self._status, _CODE.size)
            os.close(self._status)
            assert read, "the zygote has ended before its child"
            (self.returncode,) = _CODE.unpack(read)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """To it, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The process that forks, as the tests see it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                start_new_session=True,
            )

    def start(
        self,
        words: Sequence[str],
        *,
        environ: Mapping[str, str],
        folder: Path,
        streams: Sequence[IO[bytes]],
    ) -> Child:
        """`nexus WORDS` in that folder, with these three streams."""
        reading, writing = os.pipe()
        asked = os.memfd_create("nexus")
        try:
            text = json.dumps({"words": words, "environ": dict(environ), "folder": str(folder)})
            with open(asked, "w", closefd=False) as file:
                file.write(text)
            descriptors = [asked, writing, *(it.fileno() for it in streams)]
            socket.send_fds(self._socket, [b"."], descriptors)
        finally:
            os.close(asked)
            os.close(writing)
        (pid,) = _CODE.unpack(self._socket.recv(_CODE.size, socket.MSG_WAITALL))
        return Child(pid, reading)

    def close(self) -> None:
        """It ends when nobody can ask it any more."""
        self._socket.close()
        self._process.wait()


def _serve(control: socket.socket) -> None:
    """Fork whenever told to, and tell of each end, until nobody is there to tell."""
    statuses: dict[int, int] = {}
    ended, woken = socket.socketpair()
    for it in (ended, woken):
        it.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is ended:
                    ended.recv(1024)
                    _reap(statuses)
                    continue
                read, descriptors, _, _ = socket.recv_fds(control, 1, 5)
                if not read:
                    return
                asked, status, *streams = descriptors
                pid = os.fork()
                if pid == 0:
                    closing = (control, ended, woken)
                    _become(asked, streams, [*statuses.values(), status], closing)
                for it in (asked, *streams):
                    os.close(it)
                statuses[pid] = status
                control.sendall(_CODE.pack(pid))


def _reap(statuses: dict[int, int]) -> None:
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        told = statuses.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # the test does not want to know
            os.write(told, _CODE.pack(os.waitstatus_to_exitcode(status)))
        os.close(told)


def _become(
    asked: int, streams: Sequence[int], statuses: Sequence[int], sockets: Sequence[socket.socket]
) -> NoReturn:
    """In the child: be that command, to its end."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        for it in sockets:
            it.close()
        for number in statuses:
            os.close(number)
        with open(asked) as file:
            file.seek(0)
            wanted: dict[str, Any] = json.load(file)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - until the end
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(wanted["environ"])
        os.chdir(wanted["folder"])
        tempfile.tempdir = None
        time.tzset()
        sys.argv = ["nexus", *wanted["words"]]
        code = _run()
    except BaseException:  # noqa: BLE001 - as at the end of any Python
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)


def _run() -> int:
    """What `nexus` does, to the end of its threads."""
    from nexus_actors.cli import main

    try:
        return main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    finally:
        threading._shutdown()  # type: ignore[attr-defined]


def import_all() -> None:
    """What the commands import when they run."""
    import importlib
    import pkgutil

    import nexus_actors

    for it in pkgutil.walk_packages(nexus_actors.__path__, "nexus_actors."):
        if not it.name.endswith("__main__"):
            importlib.import_module(it.name)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        import_all()
        gc.collect()
        gc.freeze()  # so that a child shares it for longer
        _serve(channel)
