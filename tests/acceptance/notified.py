"""systemd's place, held by a test: what a service says of itself by sd_notify."""

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.acceptance.nexus import LIMIT, Nexus, wait_for

WATCHDOG: Final = 0.2
"""Seconds. Nobody here obeys it: what counts is whether messages come."""


class Manager:
    """What the service says, line by line. `notified` makes it."""

    def __init__(self) -> None:
        self.messages: queue.Queue[str] = queue.Queue()
        """Read at once, as systemd does: a socket keeps ten and refuses more."""
        self.said: list[str] = []
        """All of it."""
        self._next = 0

    def listen(self, seconds: float = LIMIT) -> bool:
        """Wait for one message. False: none came."""
        try:
            self.said += self.messages.get(timeout=seconds).split("\n")
        except queue.Empty:
            return False
        return True

    def until(self, beginning: str) -> str:
        """Wait for such a line, after the one that was waited for before."""

        def look() -> str:
            while self._next < len(self.said) or self.listen(0.01):
                self._next += 1
                if self.said[self._next - 1].startswith(beginning):
                    return self.said[self._next - 1]
            return ""

        return wait_for(look, beginning)


@contextmanager
def notified(nexus: Nexus) -> Iterator[Manager]:
    """Be told of the services that this user starts in the block."""
    manager, address = Manager(), str(nexus.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(address)

        def read() -> None:
            while message := ours.recv(4096):
                manager.messages.put(message.decode())

        reader = threading.Thread(target=read)
        reader.start()
        nexus.environ["NOTIFY_SOCKET"] = address
        nexus.environ["WATCHDOG_USEC"] = str(round(WATCHDOG * 1e6))
        try:
            yield manager
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", address)
            reader.join()
