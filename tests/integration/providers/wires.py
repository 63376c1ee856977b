"""Servers that send bytes as a test says, HTTP or not, and a session to ask them with."""

import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nexus_actors.providers.http.exchange import Body, Broken, HttpAnswer
from nexus_actors.providers.http.transports import Choice, http_session

Serve = Callable[[trio.abc.Stream], Awaitable[None]]


class Wire:
    """A listening server. `requests`: the whole ones, as they came, in order."""

    def __init__(self) -> None:
        self.port = 0
        self.opened = 0
        self.requests: list[bytes] = []

    async def request(self, stream: trio.abc.Stream) -> bytes:
        """Read one; empty where the peer closed."""
        data = bytearray()
        whole = 0
        while not whole or len(data) < whole:
            if not (piece := await stream.receive_some(1_000_000)):
                return b""
            data += piece
            head, end, _ = data.partition(b"\r\n\r\n") if not whole else (b"", b"", b"")
            if end:
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                whole = len(head) + len(end) + int(length)
        self.requests.append(bytes(data))
        return bytes(data)


@asynccontextmanager
async def wire(
    serve: Callable[[Wire, trio.abc.Stream], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Wire]:
    """Serve each connection so, and close it then."""
    server = Wire()
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server.port = listener.socket.getsockname()[1]

    async def handle(stream: trio.SocketStream) -> None:
        server.opened += 1
        inner: trio.abc.Stream = stream
        if tls is not None:
            inner = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            await serve(server, inner)
        except trio.BrokenResourceError:
            pass  # the peer has seen enough
        finally:
            await trio.aclose_forcefully(stream) if tls else await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield server
        nursery.cancel_scope.cancel()


def answering(*pieces: bytes) -> Callable[[Wire, trio.abc.Stream], Awaitable[None]]:
    """Answer one request with these pieces, each by itself, and close."""

    async def serve(server: Wire, stream: trio.abc.Stream) -> None:
        if await server.request(stream):
            for piece in pieces:
                await stream.send_all(piece)

    return serve


async def asked(
    port: int,
    transport: Choice,
    *,
    take: Callable[[bytes], None] | None = None,
    content: bytes = b"{}",
    calls: int = 1,
    scheme: str = "http",
    answer_limit: int = 1000,
) -> Sequence[HttpAnswer | Broken]:
    """The outcomes of so many calls, one after the other."""
    url = f"{scheme}://127.0.0.1:{port}/v1"
    limits = {"answer_limit": answer_limit}
    with trio.fail_after(60):
        async with http_session(url, {"X-Key": "k"}, transport=transport, **limits) as session:
            return [await session.post("/x", Body(content), take=take) for _ in range(calls)]


class Authority:
    """Signs certificates; `trusted` in the client's context, or not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority")])
        self.certificate = self._signed(self._name, self._key, "", days=30, is_authority=True)

    def client(self, *, trusting: bool = True) -> ssl.SSLContext:
        """A context as the service's, that trusts this authority alone, or none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["http/1.1"])
        if trusting:
            encoded = self.certificate.public_bytes(serialization.Encoding.PEM)
            context.load_verify_locations(cadata=encoded.decode())
        return context

    def server(self, host: str = "127.0.0.1", *, days: int = 30) -> ssl.SSLContext:
        """A context with a certificate for this host, valid until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Server")])
        signed = self._signed(name, key, host, days=days, is_authority=False)
        path = self._folder / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        host: str,
        *,
        days: int,
        is_authority: bool,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if host:
            is_address = host[0].isdigit()
            names = [x509.IPAddress(ip_address(host)) if is_address else x509.DNSName(host)]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())
