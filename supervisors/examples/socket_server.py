"""A TCP server: one actor accepts, one actor serves each connection, and a crash affects only one.

It calculates, one line at a time. A client that sends nonsense loses its connection; no other
notices. At the end the tree is stopped in order: first the listener, then the connections.
"""

import logging
import math
from dataclasses import dataclass
from functools import partial

import trio

from supervisors import (
    Call,
    Caller,
    ChildSpec,
    DynamicSupervisor,
    Exit,
    ExitReason,
    GenServer,
    Registry,
    Reply,
    Stop,
    Supervisor,
    open_tree,
)

names = Registry("names")
CONNECTIONS = names.via("connections")
LISTENER = names.via("listener")


@dataclass(frozen=True)
class Port(Call[int]):
    pass


class Listener(GenServer):
    async def init(self) -> None:
        self.sockets = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.spawn_link(self.accept)  # beside the callbacks; ends with this actor at the latest

    async def handle_call(self, request: Port, caller: Caller) -> Reply:
        return Reply(self.sockets[0].socket.getsockname()[1])

    async def accept(self) -> None:
        async with self.sockets[0] as listener:
            while True:
                stream = await listener.accept()
                spec = ChildSpec("connection", partial(Connection, stream), restart="temporary")
                await DynamicSupervisor.start_child(CONNECTIONS, spec)


@dataclass(frozen=True)
class Line(Call[None]):
    text: bytes


class Connection(GenServer):
    """Reads in a linked task, which gives the actor one line at a time."""

    trap_exit = True  # so that terminate runs when the supervisor stops it, and for handle_info

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    async def init(self) -> None:
        self.sum = 0
        self.spawn_link(self.read)

    async def read(self) -> None:
        async with self.stream:  # closed when this task ends, with its actor at the latest
            buffer = b""
            async for chunk in self.stream:
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:  # a client that sends faster than we answer has to wait
                    await self.ref.call(Line(line), timeout=math.inf)

    async def handle_call(self, request: Line, caller: Caller) -> Reply:
        self.sum += int(request.text)  # nonsense raises ValueError, which ends this connection only
        await self.stream.send_all(b"%d\n" % self.sum)
        return Reply(None)

    async def handle_info(self, info: object) -> Stop | None:
        # The connection ends with its reader: Normal if the client has hung up.
        return Stop(info.reason) if isinstance(info, Exit) else None

    async def terminate(self, reason: ExitReason) -> None:
        print("connection ends:", type(reason).__name__)


def tree() -> Supervisor:
    connections = ChildSpec("connections", DynamicSupervisor, type="supervisor", name=CONNECTIONS)
    listener = ChildSpec("listener", Listener, name=LISTENER)
    return Supervisor([names.child_spec(), connections, listener], strategy="rest_for_one")


async def ask(stream: trio.SocketStream, line: bytes) -> str:
    await stream.send_all(line + b"\n")
    return (await stream.receive_some()).decode().strip() or "hung up"


async def main() -> None:
    async with open_tree(tree):
        port = await LISTENER.call(Port())
        good = await trio.open_tcp_stream("127.0.0.1", port)
        bad = await trio.open_tcp_stream("127.0.0.1", port)
        print("good sends 2:", await ask(good, b"2"))
        print("bad sends nonsense:", await ask(bad, b"two"))
        print("good sends 40:", await ask(good, b"40"))
        await bad.aclose()
    await good.aclose()


if __name__ == "__main__":
    logging.getLogger("supervisors").addHandler(logging.NullHandler())  # no report of the crash
    trio.run(main)
