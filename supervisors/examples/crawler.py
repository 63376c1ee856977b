"""A crawler: a task for each page, one rate limit for all. A page that fails affects no other.

It crawls a small site that it serves itself, on the loopback interface.
"""

import logging
import re
from collections import deque
from dataclasses import dataclass
from functools import partial

import trio

from supervisors import (
    Call,
    Caller,
    ChildSpec,
    Exited,
    GenServer,
    NoReply,
    Ok,
    Registry,
    Supervisor,
    TaskSupervisor,
    open_tree,
)

RATE = 100.0  # pages per second

SITE = {
    "/": "<a href=/news> <a href=/about> <a href=/broken>",
    "/news": "<a href=/> <a href=/news/1> <a href=/news/2>",
    "/news/1": "<a href=/news/2>",
    "/news/2": "",
    "/about": "<a href=/>",
}  # and /broken, which does not exist

names = Registry("names")
LIMITER = names.via("limiter")
TASKS = names.via("tasks")


@dataclass(frozen=True)
class MayI(Call[None]):
    """Answered when it is the caller's turn."""


class Limiter(GenServer):
    """Answers at most `rate` calls per second. The others wait in their own call."""

    def __init__(self, rate: float) -> None:
        self.pause = 1 / rate
        self.waiting: deque[Caller] = deque()

    async def init(self) -> None:
        self.send_after(self.pause, "next")

    async def handle_call(self, request: MayI, caller: Caller) -> NoReply:
        self.waiting.append(caller)
        return NoReply()

    async def handle_info(self, info: object) -> None:
        if self.waiting:
            self.waiting.popleft().reply(None)
        self.send_after(self.pause, "next")


async def links_of(port: int, path: str) -> list[str]:
    await LIMITER.call(MayI(), timeout=60)
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = b"".join([part async for part in stream]).decode().partition("\r\n\r\n")
    if " 200 " not in head:
        raise LookupError(head.splitlines()[0])
    return re.findall("href=([^>]+)", body)


async def serve_page(stream: trio.SocketStream) -> None:
    async with stream:
        path = (await stream.receive_some()).decode().split()[1]
        status = "200 OK" if path in SITE else "404 Not Found"
        await stream.send_all(f"HTTP/1.0 {status}\r\n\r\n{SITE.get(path, '')}".encode())


def tree() -> Supervisor:
    limiter = ChildSpec("limiter", lambda: Limiter(RATE), name=LIMITER)
    tasks = ChildSpec("tasks", TaskSupervisor, type="supervisor", name=TASKS)
    return Supervisor([names.child_spec(), limiter, tasks])


async def crawl(port: int) -> None:
    seen, new = {"/"}, ["/"]
    while new:
        pages, new = new, []
        fetched, fetch = iter(pages), partial(links_of, port)
        async with TaskSupervisor.async_stream_nolink(TASKS, pages, fetch) as outcomes:
            async for outcome in outcomes:  # in the order of `pages`
                page = next(fetched)
                match outcome:
                    case Ok(links):
                        print(page, "has", len(links), "links")
                        new += [link for link in links if link not in seen]
                        seen.update(links)
                    case Exited(reason):
                        print(page, "failed:", reason)


async def main() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve_page, 0)
        async with open_tree(tree):
            await crawl(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    logging.getLogger("supervisors").addHandler(logging.NullHandler())  # no report of the crash
    trio.run(main)
