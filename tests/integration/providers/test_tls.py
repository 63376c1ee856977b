"""TLS of our own HTTP client: who is trusted, what is told, and when httpx2 takes over."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from nexus_actors.providers.http import transports, trust
from nexus_actors.providers.http.exchange import Body, Broken, HttpAnswer
from nexus_actors.providers.http.native import transport as native_transport
from nexus_actors.providers.http.transports import http_session
from tests.integration.providers.wires import Authority, Wire, asked, wire

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def keep_answering(server: Wire, stream: trio.abc.Stream) -> None:
    while await server.request(stream):
        await stream.send_all(ANSWER)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusts(monkeypatch: pytest.MonkeyPatch) -> Callable[[ssl.SSLContext], None]:
    """Have the service trust what this context does."""
    from nexus_actors.providers.http import httpx2_transport

    def use(context: ssl.SSLContext) -> None:
        def trusting_context() -> ssl.SSLContext:
            return context

        trusting_context.cache_info = trust.trusting_context.cache_info  # type: ignore[attr-defined]
        for module in (transports, native_transport, httpx2_transport):
            monkeypatch.setattr(module, "trusting_context", trusting_context)

    return use


Trusts = Callable[[ssl.SSLContext], None]


@pytest.mark.parametrize("transport", ["native", "httpx2"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_calls_share_one_connection_inside_tls(
    transport: transports.Choice, version: ssl.TLSVersion, authority: Authority, trusts: Trusts
) -> None:
    trusts(authority.client())
    context = authority.server()
    context.maximum_version = version
    async with wire(keep_answering, context) as server:
        large = b"x" * 1_000_000
        outcomes = await asked(server.port, transport, scheme="https", calls=3, content=large)
    assert [isinstance(it, HttpAnswer) and it.body for it in outcomes] == [b"hi"] * 3
    assert server.opened == 1
    assert all(request.endswith(large) for request in server.requests)


@pytest.mark.parametrize("transport", ["native", "httpx2", "auto"])
@pytest.mark.parametrize(
    ("host", "days", "trusting", "why"),
    [
        ("127.0.0.1", -1, True, "certificate has expired"),
        ("127.0.0.2", 30, True, "IP address mismatch"),
        ("127.0.0.1", 30, False, "unable to get local issuer certificate"),
    ],
)
async def test_who_is_not_to_be_trusted_is_sent_nothing_and_told(
    transport: transports.Choice,
    host: str,
    days: int,
    trusting: bool,
    why: str,
    authority: Authority,
    trusts: Trusts,
) -> None:
    trusts(authority.client(trusting=trusting))
    async with wire(keep_answering, authority.server(host, days=days)) as server:
        [outcome] = await asked(server.port, transport, scheme="https")
        assert server.requests == []
    assert isinstance(outcome, Broken)
    assert (outcome.how, outcome.sent) == ("unconnected", False)
    assert outcome.why.startswith(f"127.0.0.1:{server.port}: TLS: its certificate is not trusted (")
    assert why in outcome.why


async def test_a_name_is_sent_to_the_server_and_checked(
    authority: Authority, trusts: Trusts
) -> None:
    trusts(authority.client())
    names: list[str | None] = []
    context = authority.server("localhost")
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    async with (
        wire(keep_answering, context) as server,
        http_session(f"https://localhost:{server.port}", {}) as session,
    ):
        assert isinstance(await session.post("/", Body(b"{}")), HttpAnswer)
    assert names == ["localhost"]


async def test_a_second_answer_in_the_same_packet_is_not_the_next_calls(
    authority: Authority, trusts: Trusts
) -> None:
    trusts(authority.client())

    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        assert isinstance(stream, trio.SSLStream)
        while await server.request(stream):
            await stream.send_all(ANSWER)
            if not await server.request(stream):
                return
            # Two records, sent at once: both come with the first of them.
            inner = stream._ssl_object  # type: ignore[attr-defined]
            inner.write(ANSWER)
            inner.write(ANSWER.replace(b"hi", b"no"))
            await stream.transport_stream.send_all(stream._outgoing.read())  # type: ignore[attr-defined]

    async with wire(serve, authority.server()) as server:
        outcomes = await asked(server.port, "native", scheme="https", calls=4)
    assert [isinstance(it, HttpAnswer) and it.body for it in outcomes] == [b"hi"] * 4
    assert server.opened == 2


async def test_httpx2_takes_over_where_our_own_handshake_fails_and_that_is_reported_once(
    authority: Authority, trusts: Trusts
) -> None:
    trusts(authority.client())
    context = authority.server()

    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        if server.opened % 2 == 1 and server.opened < 4:
            await stream.receive_some(1)
            await stream.send_all(b"no TLS at all")
        else:
            inner = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
            await keep_answering(server, inner)

    transports._tell.cache_clear()
    with structlog.testing.capture_logs() as logs:
        async with wire(serve) as server:
            for _ in range(2):
                outcomes = await asked(server.port, "auto", scheme="https", calls=2)
                assert all(isinstance(it, HttpAnswer) for it in outcomes)
            assert server.opened == 4
    [line] = logs
    assert "TLS: " in line["why"]
    assert line["url"] == f"https://127.0.0.1:{server.port}/v1"


async def test_who_asks_what_is_free_gets_there_by_httpx2_too(
    authority: Authority, trusts: Trusts
) -> None:
    trusts(authority.client())
    context = authority.server()
    heads: list[bytes] = []

    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        if server.opened == 1:
            await stream.receive_some(1)
            await stream.send_all(b"no TLS at all")
            return
        inner = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        heads.append(await inner.receive_some())
        await inner.send_all(ANSWER)

    transports._tell.cache_clear()
    async with wire(serve) as server:
        with trio.fail_after(60):
            async with http_session(f"https://127.0.0.1:{server.port}/v1", {}) as session:
                answer = await session.get("/models", timeout=60)
    assert isinstance(answer, HttpAnswer)
    assert answer.body == b"hi"
    assert heads[0].startswith(b"GET /v1/models HTTP/1.1\r\n")


async def test_native_stays_native(authority: Authority, trusts: Trusts) -> None:
    trusts(authority.client())

    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        await stream.receive_some(1)
        await stream.send_all(b"no TLS at all")

    async with wire(serve) as server:
        [outcome] = await asked(server.port, "native", scheme="https")
        assert server.opened == 1
    assert isinstance(outcome, Broken)
    assert outcome.is_tls


async def test_a_handshake_that_is_cancelled_leaves_nothing_open(
    authority: Authority, trusts: Trusts, mock_clock: trio.testing.MockClock
) -> None:
    trusts(authority.client())
    begun, closed = trio.Event(), trio.Event()
    outcomes = []

    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        with suppress(trio.BrokenResourceError):  # a way to close it, too
            while await stream.receive_some(65_536):
                begun.set()
        closed.set()

    async with (
        wire(serve) as server,
        http_session(f"https://127.0.0.1:{server.port}", {}) as session,
        trio.open_nursery() as nursery,
    ):

        async def call() -> None:
            outcomes.append(await session.post("/", Body(b"{}"), timeout=1.0))

        nursery.start_soon(call)
        await begun.wait()
        mock_clock.jump(1.0)  # the time is up in the middle of the handshake, at any speed
        mock_clock.rate = 1.0
        with trio.fail_after(60):
            await closed.wait()
    assert outcomes == [Broken("late", sent=False)]


def test_the_same_authorities_are_trusted_as_by_httpx2() -> None:
    import httpx2

    ours = trust.trusting_context()
    theirs = httpx2.create_ssl_context(trust_env=False)
    assert ours.cert_store_stats() == theirs.cert_store_stats()
    assert ours.check_hostname
    assert ours.verify_mode == theirs.verify_mode == ssl.CERT_REQUIRED
    assert ours.minimum_version == theirs.minimum_version
