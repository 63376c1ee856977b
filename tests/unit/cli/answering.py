"""A service that answers one command."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def answering(folder: Path, answer: object) -> Iterator[list[str]]:
    """A service that says this once; gives the options that lead to it."""
    config = folder / "nexus.toml"
    config.write_text(f"[service]\ndata_dir = {json.dumps(str(folder))}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "control.sock"))
        server.listen()

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:  # nobody has asked
                return
            with connection:
                connection.recv(1000)
                connection.sendall(json.dumps({"ok": answer}).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield ["--config", str(config)]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
