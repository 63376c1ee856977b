"""A network that can forget: a TCP proxy before PostgreSQL whose connections can be lost without a
word, as a firewall or a machine that is switched off loses them.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit


class Wire:
    """Made by `open_wire`. Each connection is two threads that copy."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        folder = parse_qs(parts.query)["host"][0]
        self._server = f"{folder}/.s.PGSQL.{parse_qs(parts.query).get('port', ['5432'])[0]}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        user = parts.username or "postgres"
        self.url = f"postgresql://{user}@127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"
        self._start(self._accept)

    def forget(self) -> None:
        """Whatever is connected now stays so at both ends, and hears nothing any more."""
        self._lost |= self._sockets

    def close(self) -> None:
        """No connection is left, and no thread."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._sockets |= {client, server}
            self._start(self._copy, client, server)
            self._start(self._copy, server, client)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source not in self._lost:
                    target.sendall(data)
        if source not in self._lost:
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)


@contextmanager
def open_wire(url: str) -> Iterator[Wire]:
    """A way to the server of this URL (on a unix socket) by TCP."""
    wire = Wire(url)
    try:
        yield wire
    finally:
        wire.close()
