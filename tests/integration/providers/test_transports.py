"""Our own HTTP client beside httpx2's: the same bytes come to the same outcome."""

import gzip
import os
import zlib
from collections.abc import Callable
from contextlib import suppress

import httpx2
import pytest
import trio
import trio.testing

from nexus_actors.providers.http import transports
from nexus_actors.providers.http.exchange import Body, Broken, HttpAnswer
from nexus_actors.providers.http.native import connection as connections
from nexus_actors.providers.http.native.transport import NativeTransport
from nexus_actors.providers.http.transports import http_session
from tests.http_server import Reply, scripted_server
from tests.integration.providers.wires import Wire, answering, asked, wire

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = OK + b"Content-Type: text/event-stream\r\n"
ANSWER = OK + b"Content-Length: 2\r\n\r\nhi"


def sized(body: bytes, head: bytes = OK) -> bytes:
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


SAME = {
    "length": ANSWER,
    "no body": OK + b"Content-Length: 0\r\n\r\n",
    "chunks": CHUNKED + b"1;a=b\r\nh\r\n1\r\ni\r\n0\r\nT: u\r\n\r\n",
    "to the end": OK + b"\r\nhi",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhi",
    "interim": b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + ANSWER,
    "204": b"HTTP/1.1 204 No\r\n\r\n",
    "304": b"HTTP/1.1 304 No\r\n\r\n",
    "redirect": b"HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "error": sized(b"busy", b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n"),
    "cut error": b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nbusy",
    "twice": OK + b"X: a\r\nx: b\r\nContent-Length: 0\r\n\r\n",
    "gzip": sized(gzip.compress(b"hi"), OK + b"Content-Encoding: gzip\r\n"),
    "deflate": sized(zlib.compress(b"hi"), OK + b"Content-Encoding: deflate\r\n"),
    "br": sized(b"hi", OK + b"Content-Encoding: br\r\n"),
    "no gzip": sized(b"hi", OK + b"Content-Encoding: gzip\r\n"),
    "bomb": sized(gzip.compress(bytes(100_000)), OK + b"Content-Encoding: gzip\r\n"),
    "events": sized(b"data: a\n\ndata: b\n\n", EVENTS),
    "events in chunks": EVENTS
    + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n0\r\n\r\n",
    "packed events": sized(gzip.compress(b"data: a\n\n"), EVENTS + b"Content-Encoding: gzip\r\n"),
    "no events": sized(b'{"a":1}', EVENTS),
    "limit": sized(b"x" * 1000),
    "too large": sized(b"x" * 1001),
    "too many chunks": CHUNKED + b"64\r\n%b\r\n" % (b"x" * 100) * 11 + b"0\r\n\r\n",
    "cut length": OK + b"Content-Length: 3\r\n\r\nhi",
    "cut chunk": CHUNKED + b"3\r\nhi",
    "cut chunks": CHUNKED + b"2\r\nhi\r\n",
    "cut events": EVENTS + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n",
    "101": b"HTTP/1.1 101 Oh\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "cut head": OK + b"A: b",
    "nothing": b"",
    "page": b"<html></html>\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
    "no length": OK + b"Content-Length: x\r\n\r\nhi",
    "chunk with LF": CHUNKED + b"2\nhi\n0\n\n",
    "bad chunk": CHUNKED + b"xx\r\nhi\r\n",
    "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nhi",
    "bad header": OK + b"A : b\r\n\r\n",
    "large head": OK + b"A: %b\r\n" % (b"x" * 200_000) + b"\r\n",
}
STRICTER = {
    "bare LF": ANSWER.replace(b"\r\n", b"\n"),
    "length beside chunks": CHUNKED[:-2] + b"Content-Length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "equal lengths": ANSWER.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n"),
    "HTTP/2.0": ANSWER.replace(b"1.1", b"2.0"),
}
"""What httpx2 takes and ours does not, since others take it in another way."""


def whole(data: bytes) -> list[bytes]:
    return [data]


def in_bits(data: bytes) -> list[bytes]:
    return [data[at : at + 7] for at in range(0, len(data), 7)]


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("name", SAME)
async def test_the_same_answer_comes_to_the_same_as_with_httpx2(name: str, listens: bool) -> None:
    answer = SAME[name]
    found = []
    cuts: tuple[Callable[[bytes], list[bytes]], ...] = (whole, in_bits)
    for cut in cuts if len(answer) < 1000 else (whole,):
        async with wire(answering(*cut(answer))) as server:
            for transport in ("native", "httpx2"):
                told: list[bytes] = []
                take = told.append if listens else None
                [outcome] = await asked(server.port, transport, take=take)
                # Of what is too large, as much was told as had been read by then.
                is_large = isinstance(outcome, Broken) and outcome.how == "too_large"
                found.append((_plain(outcome), b"" if is_large else b"".join(told)))
            first, second = server.requests
            assert _request(first) == _request(second)
    assert found == [found[0]] * len(found)


@pytest.mark.parametrize("name", STRICTER)
async def test_what_others_may_take_in_another_way_is_refused(name: str) -> None:
    async with wire(answering(STRICTER[name])) as server:
        [outcome] = await asked(server.port, "native")
        [taken] = await asked(server.port, "httpx2")
    assert isinstance(outcome, Broken)
    assert (outcome.how, outcome.sent, bool(outcome.why)) == ("malformed", True, True)
    assert isinstance(taken, HttpAnswer)


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("", "/chat"),
        ("/v1", "/models/a%2Fb:generate?alt=sse&k=v%20w"),
        ("/a/../b/./c", "/x"),
        ("/v1", '/x"<>`{}|\\^y'),
        ("/v1", "/x#y"),
        ("/v1", "/é"),
        ("/v1", "/a b\r\nX-Evil: 1"),
        ("//v1", "//x"),
    ],
)
async def test_the_target_is_written_as_httpx2_does(base: str, path: str) -> None:
    async with wire(answering(ANSWER)) as server:
        for transport in ("native", "httpx2"):
            url = f"http://127.0.0.1:{server.port}{base}"
            async with http_session(url, {}, transport=transport) as session:
                with suppress(httpx2.InvalidURL):
                    assert isinstance(await session.post(path, Body(b"")), HttpAnswer)
    lines = [request.split(b"\r\n")[0] for request in server.requests]
    assert lines in ([lines[0]], [lines[0]] * 2)
    assert all(b"x-evil" not in _request(request)[1] for request in server.requests)


@pytest.mark.parametrize(
    ("name", "value"), [("X: y", "z"), ("", "z"), ("X", "a\r\nY: b"), ("X", "a\x00"), ("X", "é")]
)
def test_no_header_can_bring_another_and_none_is_quoted(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent") as told:
        NativeTransport("http://localhost/", {name: value}, 1, 1.0)
    assert "Y: b" not in str(told.value)


def test_it_shows_no_key() -> None:
    assert "hunter2" not in repr(NativeTransport("http://h/", {"Authorization": "hunter2"}, 1, 1.0))


async def test_what_came_behind_an_answer_is_not_the_next_ones() -> None:
    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        while await server.request(stream):
            await stream.send_all(ANSWER + ANSWER.replace(b"hi", b"no"))

    async with wire(serve) as server:
        outcomes = await asked(server.port, "native", calls=3)
    assert [_plain(outcome)[1] for outcome in outcomes] == [b"hi"] * 3
    assert server.opened == 3


async def test_a_connection_that_was_closed_while_idle_is_replaced_before_anything_is_sent() -> (
    None
):
    async with (
        wire(answering(ANSWER)) as server,
        http_session(f"http://127.0.0.1:{server.port}", {}) as session,
    ):
        for _ in range(3):
            assert isinstance(await session.post("/", Body(b"{}")), HttpAnswer)
            await trio.testing.wait_all_tasks_blocked(0.01)  # the server's end has come
    assert (server.opened, len(server.requests)) == (3, 3)


async def test_a_request_that_was_taken_is_never_sent_twice() -> None:
    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        if await server.request(stream):
            await stream.send_all(ANSWER)
            await server.request(stream)  # taken, maybe paid for: and then it is gone

    async with wire(serve) as server:
        outcomes = await asked(server.port, "native", calls=2)
        assert outcomes[1] == Broken("lost", sent=True)
        assert (server.opened, len(server.requests)) == (1, 2)


async def test_a_request_that_cannot_have_been_taken_is_sent_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The end came after the look for it: so that there is a look which sees nothing.
    monkeypatch.setattr(connections.Connection, "is_stale", lambda *_: False)
    large = b"x" * 30_000_000

    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        if await server.request(stream):
            await stream.send_all(ANSWER)
        if server.opened == 1:
            await stream.receive_some(1)  # it has begun to come, and cannot come to its end

    async with (
        wire(serve) as server,
        http_session(f"http://127.0.0.1:{server.port}", {}) as session,
    ):
        assert isinstance(await session.post("/", Body(b"{}")), HttpAnswer)
        body = Body(large)
        assert isinstance(await session.post("/", body), HttpAnswer)
        assert body.sent
    assert (server.opened, len(server.requests)) == (2, 2)


async def test_on_a_new_connection_nothing_is_sent_twice() -> None:
    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        await stream.receive_some(1)

    async with wire(serve) as server:
        assert await asked(server.port, "native", content=b"x" * 30_000_000) == [
            Broken("lost", sent=True)
        ]
        assert server.opened == 1


async def test_a_refusal_is_read_although_the_request_was_not_read_to_its_end() -> None:
    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        await stream.receive_some(1)
        await stream.send_all(sized(b"no", b"HTTP/1.1 413 Large\r\n"))
        assert isinstance(stream, trio.SocketStream)
        await stream.send_eof()
        with trio.move_on_after(60):
            while await stream.receive_some(1_000_000):
                pass

    async with wire(serve) as server:
        [outcome] = await asked(server.port, "native", content=b"x" * 10_000_000)
    assert isinstance(outcome, HttpAnswer)
    assert outcome.status == 413


async def test_an_old_connection_takes_no_further_call_so_that_names_are_looked_up_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: list[object] = []
    real = trio.open_tcp_stream

    async def open_tcp_stream(host: str, port: int) -> trio.SocketStream:
        looked_up.append(host)
        return await real("127.0.0.1", port)

    monkeypatch.setattr(trio, "open_tcp_stream", open_tcp_stream)
    async with scripted_server() as server:
        url = server.url.replace("127.0.0.1", "name.example")
        for age, times in ((300.0, 1), (-1.0, 3)):
            monkeypatch.setattr(connections, "MOST_AGE", age)
            looked_up.clear()
            async with http_session(url, {}) as session:
                for _ in range(3):
                    assert isinstance(await session.post("/", Body(b"{}")), HttpAnswer)
            assert looked_up == ["name.example"] * times


SILENT_AFTER = {
    "request": b"",
    "head": OK + b"A: ",
    "body": OK + b"Content-Length: 9\r\n\r\nhi",
    "chunk": CHUNKED + b"9\r\nhi",
}


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("phase", SILENT_AFTER)
async def test_a_call_that_ends_in_any_phase_leaves_nothing_open(
    phase: str, timed: bool, mock_clock: trio.testing.MockClock
) -> None:
    silences, silence = trio.open_memory_channel[None](1)

    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        await server.request(stream)
        await stream.send_all(SILENT_AFTER[phase])
        await silences.send(None)
        await stream.receive_some(1)  # until it is closed

    async def let_time_pass() -> None:
        await silence.receive()
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(1.0)

    async with wire(serve) as server:
        await trio.testing.wait_all_tasks_blocked()
        files = _open_files()
        async with http_session(f"http://127.0.0.1:{server.port}", {}) as session:
            body = Body(b"{}")
            async with trio.open_nursery() as nursery:
                if timed:
                    nursery.start_soon(let_time_pass)
                    assert await session.post("/", body, timeout=1.0) == Broken("late", sent=True)
                    nursery.start_soon(let_time_pass)
                    stalled = await session.post("/", body, idle_timeout=1.0)
                    assert isinstance(stalled, Broken)
                    assert (stalled.how, stalled.sent) == ("stalled", True)
                else:
                    nursery.start_soon(session.post, "/", body)
                    await silence.receive()
                    await trio.testing.wait_all_tasks_blocked()
                    nursery.cancel_scope.cancel()
            mock_clock.rate = 1.0
            with trio.fail_after(60):
                while _open_files() > files:
                    await trio.sleep(0.001)


async def test_a_call_cancelled_while_it_sends_leaves_nothing_open(
    mock_clock: trio.testing.MockClock,
) -> None:
    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        await stream.receive_some(1)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(1.0)
        await trio.sleep_forever()

    async with (
        wire(serve) as server,
        http_session(f"http://127.0.0.1:{server.port}", {}) as session,
    ):
        files = _open_files()
        body = Body(b"x" * 30_000_000)
        assert await session.post("/", body, timeout=1.0) == Broken("late", sent=True)
        assert _open_files() == files + 1  # the server's end, which does not look


async def test_a_call_without_time_is_not_sent_and_one_of_the_cancelled_neither() -> None:
    async with scripted_server() as server, http_session(server.url, {}) as session:
        assert isinstance(await session.post("/", Body(b"{}")), HttpAnswer)
        assert await session.post("/", Body(b"{}"), timeout=0) == Broken("late", sent=False)
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.post("/", Body(b"{}"))
        assert scope.cancelled_caught
        assert len(server.requests) == 1


PROXY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("environment", "proxied"),
    [
        ({}, False),
        ({"HTTPS_PROXY": PROXY}, True),
        ({"https_proxy": PROXY}, True),
        ({"ALL_PROXY": PROXY}, True),
        ({"HTTP_PROXY": PROXY}, False),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "llm.example"}, False),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "other.example"}, True),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, False),
        ({"NO_PROXY": "*"}, False),
    ],
)
def test_whether_the_environment_names_a_proxy(
    environment: dict[str, str], proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert transports._is_proxied("https://api.llm.example/v1") is proxied


async def test_calls_go_through_the_proxy_of_the_config() -> None:
    async with scripted_server({"*": Reply(body="by proxy")}) as proxy:
        async with http_session("http://llm.example/v1", {}, proxy=proxy.url) as session:
            answer = await session.post("/x", Body(b"{}"))
        assert isinstance(answer, HttpAnswer)
        assert answer.body == b"by proxy"
        assert proxy.requests[0].path == "http://llm.example/v1/x"


def _plain(outcome: HttpAnswer | Broken) -> tuple[object, object, object]:
    headers = {name.lower(): value for name, value in outcome.headers.items()}
    if isinstance(outcome, HttpAnswer):
        return outcome.status, outcome.body, headers
    return outcome.how, outcome.sent, headers


def _request(data: bytes) -> tuple[bytes, list[bytes], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    names = (header.partition(b":")[0].lower() + header.partition(b":")[2] for header in headers)
    return line, sorted(names), body
