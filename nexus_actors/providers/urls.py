"""URLs that a request brings along, for a provider to fetch or to connect to: images, documents,
MCP servers. Nobody's request shall reach into a network from inside.

Only https, without user or password, to hosts that the config allows (globs); and to none whose
address is not public: private, loopback, link-local (where clouds keep their metadata), reserved,
in whatever way it is written. A host that the config names outright is its own affair.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import urlsplit

import trio

from nexus_actors.contract.json_text import format_path
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.wrong import Path

RESOLVE_TIMEOUT: Final = 2.0
"""Seconds for a name; one that does not resolve here is left to the provider."""
_INSIDE: Final = ("localhost", "*.localhost", "*.local", "*.internal", "*.home.arpa", "*.lan")
"""Names of inner networks, the clouds' metadata servers among them."""
_WILD: Final = frozenset("*?[")
_NAMES_URL: Final = re.compile(r"ur[li]s?$", re.IGNORECASE)
_LONGEST_ENDING: Final = 32
"""Characters of a key that are looked at: it may be as long as a message."""
_BEGINS_AS_URL: Final = re.compile(
    r"[\s\x00-\x20]*+(?:[a-z][a-z0-9+.\-\t\r\n]{0,40}:[\t\r\n]*[/\\]"
    r"|h[\t\r\n]*t[\t\r\n]*t[\t\r\n]*p[\t\r\n]*s?[\t\r\n]*:)",
    re.IGNORECASE,
)
"""A scheme as lenient programs read one: line ends within it are left out, `\\` is a `/`."""
_WORDS: Final = re.compile(
    r"alt|arguments|authorization|caption|code|content|context|definition|description|diff"
    r"|document_name|encrypted_content|error|filename|instructions|logs|message|name|output|prompt"
    r"|query|quote|reasoning|refusal|revised_prompt|server_description|signature|stderr|stdout"
    r"|summary|text|thinking|title|transcript",
    re.IGNORECASE,
)
"""Keys of what is read by the model or shown to people, and fetched by none."""
_TEXTS: Final = ("text", "input_text", "output_text", "refusal")
"""Parts of which nothing but the text counts."""
_CITED: Final = ("annotations", "citations", "logprobs")
_SCHEMAS: Final = ("parameters", "input_schema")
"""Of functions: what the model is to write."""
_ELSEWHERE: Final = ("action", "results")
"""Of an earlier answer that is told again: where the model's tools were."""
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_TWO_MEANINGS: Final = re.compile(r"[\x00-\x1f\x7f\\]")
"""In a URL: what some programs leave out, or take for a `/`, and others for a part of the host."""
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out for the public; of the rest, some leads to IPv4 addresses."""


def request_urls(request: LLMRequest) -> Iterator[tuple[str, str]]:
    """Each URL with the path of its field. What comes as data (`data:`) is none."""
    for path, url in _request_urls(request):
        yield format_path(path), url


def _request_urls(request: LLMRequest) -> Iterator[tuple[Path, str]]:
    for index, message in enumerate(request.messages):
        yield from _urls(("messages", index, "content"), message.get("content"), is_text=True)
    for index, server in enumerate(request.mcp_servers):
        yield from _urls(("mcp_servers", index), server)
    for index, tool in enumerate(request.tools):
        yield from _urls(("tools", index), tool)
    if request.input is not None and not isinstance(request.input, str):
        for index, item in enumerate(request.input):
            yield from _urls(("input", index), item)


def _urls(
    path: Path, value: Any, *, is_url: bool = False, is_text: bool = False
) -> Iterator[tuple[Path, str]]:
    """Whatever a name says is a URL, or begins as one where no text is expected, in a thing of any
    kind: what is not known here is sent as it is, and a server that knows it fetches it."""
    if isinstance(value, str):
        begins = not is_text and _BEGINS_AS_URL.match(value) is not None
        if (is_url or begins) and value[:5].lower() != "data:":
            yield path, value
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _urls((*path, place), item, is_url=is_url, is_text=is_text)
    elif isinstance(value, Mapping):
        unread = _fetched_by_none(path, value)
        for name, item in value.items():
            if name not in unread:
                named = _NAMES_URL.search(name[-_LONGEST_ENDING:]) is not None
                text = _says_text(name, value)
                yield from _urls((*path, name), item, is_url=named, is_text=text)


def _fetched_by_none(path: Path, holder: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys of what stands at `path` below which a URL is nothing but words."""
    kind = holder.get("type", "function")
    if kind in _TEXTS and isinstance(holder.get("text"), str):
        return _CITED
    match path:
        case ("input", int()) if isinstance(kind, str) and kind.endswith("_call"):
            return (*_ELSEWHERE, "input")
        case ("mcp_servers", int()):
            return ("headers",)
        case ("tools", int()) if kind == "mcp":
            return ("headers",)
        case ("tools" | "input", *_) if kind == "function" and isinstance(holder.get("name"), str):
            return _SCHEMAS
        case _:
            return ()


def _says_text(name: str, holder: Mapping[str, Any]) -> bool:
    if name == "data":
        return holder.get("type") == "text"  # Anthropic's source of a plain document
    return _WORDS.fullmatch(name) is not None


def refusal(request: LLMRequest, allowed: Iterable[str]) -> str | None:
    """Why the request must not be sent anywhere; None if nothing is wrong with it. Tells the field
    and never the URL, which may hold a secret."""
    allowed = tuple(allowed)
    for path, url in request_urls(request):
        why = _wrong(url, allowed)
        if why is not None:
            return f"{path}: {why}"
    return None


async def resolved_refusal(request: LLMRequest, allowed: Iterable[str]) -> str | None:
    """The same for what the hosts' names stand for now."""
    named = {host for host in allowed if not _WILD.intersection(host)}
    seen: set[str] = set()
    for path, url in request_urls(request):
        host = _host(url)
        if host in seen or host in named or _address(host) is not None:
            continue
        seen.add(host)
        if any(not _is_public(address) for address in await _resolve(host)):
            return f"{path}: the host has no public address"
    return None


def _wrong(url: str, allowed: tuple[str, ...]) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "not a URL"
    host = _host(url)
    if _TWO_MEANINGS.search(url) or not (_HOST.fullmatch(host) or _address(host)):
        return "expected an https URL with a plain host"
    if parts.scheme != "https":
        return "expected an https URL"
    if parts.username is not None or parts.password is not None:
        return "expected a URL without user and password"
    if host in allowed:
        return None
    if not any(fnmatchcase(host, glob) for glob in allowed):
        return "the host is not one that the config allows"
    address = _address(host)
    inside = any(fnmatchcase(host, glob) for glob in _INSIDE) or "." not in host
    if (inside and address is None) or (address is not None and not _is_public(address)):
        return "the host has no public address"
    return None


def _host(url: str) -> str:
    """In lower case, its dot at the end gone, in the form that is looked up."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
        return host.encode("idna").decode("ascii").lower() if not host.isascii() else host
    except (ValueError, UnicodeError):
        return ""


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(host: str) -> _Address | None:
    """The address that a host is, however it is written (`127.1`, `0x7f000001`, `2130706433`)."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in ipaddress.IPv6Network("64:ff9b::/96"):  # NAT64, RFC 6052
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        return address.is_global and address in _UNICAST
    return address.is_global and not address.is_multicast


async def _resolve(host: str) -> list[_Address]:
    found: list[Any] = []
    with trio.move_on_after(RESOLVE_TIMEOUT):
        try:
            found = await trio.socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return []
    addresses = (_address(str(entry[4][0])) for entry in found)
    return [address for address in addresses if address is not None]
