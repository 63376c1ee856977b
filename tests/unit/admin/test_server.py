"""The admin server bears whatever connects to it, and costs the service nothing."""

import errno
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nexus_actors.admin import app, connections
from nexus_actors.admin.connections import HEAD_BYTES, Connections
from nexus_actors.admin.listening import listen
from tests.service import PATIENCE

HUGE = b"x" * 64 * 2**20
"""More than sockets keep for a reader who does not read."""


async def page(request: Request) -> Response:
    match request.url.path:
        case "/huge":
            return Response(HUGE)
        case "/crash":
            raise ZeroDivisionError("a secret")
        case "/hang":
            await trio.sleep_forever()
    return Response("hello")


PATHS = [Route(path, page) for path in ("/", "/huge", "/crash", "/hang")]


def server() -> Connections:
    pages: Any = app.bounded(Starlette(routes=PATHS))
    return Connections(pages)


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """A server's port."""
    listening = await listen("127.0.0.1:0", Path("/none"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server().serve, listening.listeners)
        with trio.fail_after(PATIENCE):
            yield listening.listeners[0].socket.getsockname()[1]
            nursery.cancel_scope.cancel()
    listening.close()


async def say(port: int, *texts: bytes) -> bytes:
    """All that is answered until the connection is closed, which may be before all is said."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        with suppress(trio.BrokenResourceError):
            for text in texts:
                await stream.send_all(text)
        return await rest(stream)


async def rest(stream: trio.SocketStream) -> bytes:
    answer = b""
    with suppress(trio.BrokenResourceError):
        async for chunk in stream:
            answer += chunk
    return answer


GET = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"


async def test_one_is_answered() -> None:
    async with serving() as port:
        answer = await say(port, GET)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"\r\n\r\nhello")
        answer = await say(port, GET.replace(b"GET", b"HEAD"))
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GET.replace(b"GET", b"DELETE"), b"405"),
        (b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n", b"405"),
        (b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"x" * 2 * HEAD_BYTES, b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, b"400"),
        (
            b"GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            b"200",
        ),
        (
            b"GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade, http2-settings, close\r\n"
            b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
            b"200",
        ),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b"404"),
        (GET.replace(b" / ", b" /none "), b"404"),
        (GET.replace(b" / ", b" /%00/../etc/passwd "), b"404"),
    ],
    ids=[
        "method",
        "chunks",
        "headers",
        "nonsense",
        "tls",
        "websocket",
        "h2c",
        "http2",
        "path",
        "odd path",
    ],
)
async def test_what_it_does_not_serve_is_refused_and_the_connection_closed(
    text: bytes, code: bytes
) -> None:
    async with serving() as port:
        assert (await say(port, text)).startswith(b"HTTP/1.1 " + code)
        assert (await say(port, GET)).startswith(b"HTTP/1.1 200")


async def test_a_body_that_nobody_reads_keeps_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There are but a few."""
    monkeypatch.setattr(app, "REQUEST_TIMEOUT", 0.1)
    monkeypatch.setattr(connections, "QUIET", math.inf)
    monkeypatch.setattr(connections, "MOST", 1)
    head = b"GET /hang HTTP/1.1\r\nhost: h\r\ncontent-length: 9999999\r\n\r\n"
    async with serving() as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(head + b"x" * 300_000)
        assert (await say(port, GET)).startswith(b"HTTP/1.1 200")
        await stream.aclose()


async def test_a_page_that_crashes_is_told_to_the_log_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as port:
        answer = await say(port, GET.replace(b" / ", b" /crash "))
        assert answer.startswith(b"HTTP/1.1 500")
        assert b"secret" not in answer
        assert (await say(port, GET)).startswith(b"HTTP/1.1 200")
    assert [it.name for it in caplog.records] == ["nexus.admin"]


async def test_a_page_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "REQUEST_TIMEOUT", 0.05)
    async with serving() as port:
        answer = await say(port, GET.replace(b" / ", b" /hang "))
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"content-security-policy: default-src 'none'" in answer
    assert answer.endswith(b"\r\n\r\n" + app.TOO_LONG)


async def test_further_connections_wait_while_all_are_being_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST", 2)
    monkeypatch.setattr(connections, "SEND_TIMEOUT", math.inf)
    monkeypatch.setattr(connections, "QUIET", math.inf)
    monkeypatch.setattr(app, "REQUEST_TIMEOUT", math.inf)
    answers: list[bytes] = []

    async def ask(port: int) -> None:
        answers.append(await say(port, GET))

    async with serving() as port:
        first = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(2)]
        for it in first:
            await it.send_all(GET.replace(b" / ", b" /huge "))
            await it.receive_some(10)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, port)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert answers == []
            await first[0].aclose()
        assert answers[0].startswith(b"HTTP/1.1 200")
        await first[1].aclose()


KEPT = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"


async def hear(stream: trio.SocketStream) -> bytes:
    """Ask on a connection that is kept."""
    await stream.send_all(KEPT)
    answer = b""
    while not answer.endswith(b"hello"):
        chunk = await stream.receive_some()
        assert chunk, "it was closed"
        answer += chunk
    return answer


async def test_who_only_keeps_a_connection_gives_way_the_longest_idle_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST", 2)
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", math.inf)
    monkeypatch.setattr(connections, "QUIET", math.inf)
    async with serving() as port:
        first, second = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(2)]
        for it in (second, first, second):
            assert (await hear(it)).startswith(b"HTTP/1.1 200")
        assert (await say(port, GET)).startswith(b"HTTP/1.1 200")
        assert await rest(first) == b""
        assert (await hear(second)).startswith(b"HTTP/1.1 200")
        await first.aclose()
        await second.aclose()


async def test_whoever_waits_gets_the_place_of_the_first_that_was_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MOST", 1)
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", math.inf)
    monkeypatch.setattr(connections, "QUIET", math.inf)
    async with serving() as port, trio.open_nursery() as nursery:
        first = await trio.open_tcp_stream("127.0.0.1", port)
        await first.send_all(KEPT.replace(b" / ", b" /huge "))
        await first.receive_some(10)
        answers: list[bytes] = []

        async def ask() -> None:
            answers.append(await say(port, GET))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert answers == []
        assert (await rest(first)).endswith(HUGE[-10:])
        await first.aclose()
    assert answers[0].startswith(b"HTTP/1.1 200")


async def test_a_connection_that_crashes_is_reported_once_and_harms_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving() as port:
        with monkeypatch.context() as patched:
            patched.setattr(connections._Server, "run", crash)
            for _ in range(3):
                assert await say(port, GET) == b""
        assert (await say(port, GET)).startswith(b"HTTP/1.1 200")
    assert capsys.readouterr().out.count("a connection crashed") == 1


async def crash(*_: object) -> None:
    raise ExceptionGroup("in a nursery", [ZeroDivisionError()])


class Failing:
    """A listener that cannot accept, for these reasons."""

    def __init__(self, listener: trio.SocketListener, *reasons: int) -> None:
        self._listener = listener
        self._reasons = list(reasons)

    async def accept(self) -> trio.SocketStream:
        if self._reasons:
            raise OSError(self._reasons.pop(), "no")
        return await self._listener.accept()


async def test_a_process_without_descriptors_accepts_again_when_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "EXHAUSTED_PAUSE", 0.01)
    listening = await listen("127.0.0.1:0", Path("/none"))
    failing: Any = Failing(listening.listeners[0], errno.EMFILE, errno.ENFILE, errno.ENOMEM)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server().serve, [failing])
        port = listening.listeners[0].socket.getsockname()[1]
        assert (await say(port, GET)).startswith(b"HTTP/1.1 200")
        nursery.cancel_scope.cancel()
    listening.close()


async def test_a_listener_that_is_broken_ends_the_server() -> None:
    listening = await listen("127.0.0.1:0", Path("/none"))
    failing: Any = Failing(listening.listeners[0], errno.EBADF)
    with pytest.raises(ExceptionGroup) as caught:
        await server().serve([failing])
    assert isinstance(caught.value.exceptions[0], OSError)
    listening.close()


async def test_who_says_no_more_gets_the_answer_all_the_same() -> None:
    async with serving() as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(GET)
        await stream.send_eof()
        assert (await rest(stream)).startswith(b"HTTP/1.1 200")


async def silent(stream: trio.SocketStream) -> None:
    """Connects and says nothing."""


async def slow(stream: trio.SocketStream) -> None:
    """Says a little at a time, and comes to no end."""
    await stream.send_all(b"GET / HTTP/1.1\r\n")
    for number in range(1000):
        await stream.send_all(b"x-%d: y\r\n" % number)
        await trio.sleep(0.02)


async def deaf(stream: trio.SocketStream) -> None:
    """Does not read what it asked for."""
    await stream.send_all(GET.replace(b" / ", b" /huge "))
    await trio.sleep(0.3)


async def kept(stream: trio.SocketStream) -> None:
    """Asks once, and keeps the connection."""
    await stream.send_all(KEPT)


@pytest.mark.parametrize("client", [silent, slow, deaf, kept])
async def test_who_is_slow_is_cut_off_and_makes_room(
    client: Callable[[trio.SocketStream], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEAD_TIMEOUT", "SEND_TIMEOUT"):
        monkeypatch.setattr(connections, name, 0.2)
    monkeypatch.setattr(connections, "QUIET", math.inf)
    monkeypatch.setattr(connections, "MOST", 1)
    async with serving() as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        with suppress(trio.BrokenResourceError):
            await client(stream)
        await rest(stream)  # until the server closes it
        assert (await say(port, GET)).startswith(b"HTTP/1.1 200")
        await stream.aclose()


async def test_a_connection_on_which_nothing_moves_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever keeps it from moving."""
    monkeypatch.setattr(connections, "QUIET", 0.1)
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", math.inf)
    async with serving() as port:
        assert await say(port, b"GET / HT") == b""


async def test_a_stop_waits_for_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for one that does not read what is being sent, past any cancellation."""
    monkeypatch.setattr(connections, "SEND_TIMEOUT", math.inf)
    with trio.fail_after(PATIENCE):
        async with serving() as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(GET.replace(b" / ", b" /huge "))
            await stream.receive_some(10)
            await trio.testing.wait_all_tasks_blocked(0.05)
        await stream.aclose()
