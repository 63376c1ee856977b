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
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import trio

from nexus_actors.contract.bounds import DEFAULTS, Bounds, beyond
from nexus_actors.contract.json_text import format_path
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.lookups import look_up

RESOLVE_TIMEOUT: Final = 2.0
"""Seconds for a name; one that does not resolve here is left to the provider."""
LOOKUPS_TIMEOUT: Final = 10.0
"""Seconds for all names of a request together, also where there is no thread for them."""
_INSIDE: Final = ("localhost", "*.localhost", "*.local", "*.internal", "*.home.arpa", "*.lan")
"""Names of inner networks, the clouds' metadata servers among them."""
_WILD: Final = frozenset("*?[")
_NAMES_URL: Final = re.compile(r"ur[li]s?$", re.IGNORECASE)
_CAN_HOLD: Final = (str, list, tuple, dict, Mapping)
_Root = Literal["messages", "mcp_servers", "tools", "input"]
_SHORT: Final = 64
"""Characters of a key whose meaning is remembered."""
_LONGEST_HOST: Final = 255
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
"""Of an earlier answer that is sent back: where the model's tools were."""
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_TWO_MEANINGS: Final = re.compile(r"[\x00-\x1f\x7f\\]")
"""In a URL: what some programs leave out, or take for a `/`, and others for a part of the host."""
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out for the public; of the rest, some leads to IPv4 addresses."""


def request_urls(request: LLMRequest) -> Iterator[tuple[str, str]]:
    """Each URL with the path of its field. What comes as data (`data:`) is none."""
    for way, url in _request_urls(request):
        yield _written(way), url


_Way = tuple[Any, str | int] | None
"""The way to a value: to what holds it, and its place there. Only a reported one is written out."""


def _written(way: _Way) -> str:
    path: list[str | int] = []
    while way is not None:
        way, place = way
        path.append(place)
    return format_path(tuple(reversed(path)))


def _request_urls(request: LLMRequest) -> Iterator[tuple[_Way, str]]:
    for index, message in enumerate(request.messages):
        content = message.get("content")
        if not isinstance(content, str):
            yield from _urls((((None, "messages"), index), "content"), content)
    held: tuple[tuple[_Root, Any], ...] = (
        ("mcp_servers", request.mcp_servers),
        ("tools", request.tools),
        ("input", request.input),
    )
    for root, given in held:
        for index, item in enumerate(given if isinstance(given, list | tuple) else ()):
            yield from _urls(((None, root), index), item, root)


def _urls(top: _Way, value: Any, root: _Root = "messages") -> Iterator[tuple[_Way, str]]:
    """Whatever a name says is a URL, or begins as one where no text is expected, in a thing of any
    kind: what is not known here is sent as it is, and a server that knows it fetches it."""
    todo: list[tuple[Any, _Way, bool, bool]] = [(value, top, False, False)]
    while todo:
        value, way, is_url, is_text = todo.pop()
        if isinstance(value, str):
            begins = not is_text and _BEGINS_AS_URL.match(value) is not None
            if (is_url or begins) and value[:5].lower() != "data:":
                yield way, value
        elif isinstance(value, list | tuple):
            for place in range(len(value) - 1, -1, -1):  # the last is taken first
                if isinstance(value[place], _CAN_HOLD):
                    todo.append((value[place], (way, place), is_url, False))
        elif isinstance(value, Mapping):
            todo += _members(value, way, _fetched_by_none(root, value, is_top=way is top))


def _members(
    holder: Mapping[str, Any], way: _Way, unread: tuple[str, ...]
) -> Iterator[tuple[Any, _Way, bool, bool]]:
    for name in reversed(tuple(holder)):
        item = holder[name]
        if isinstance(item, _CAN_HOLD) and name not in unread:
            is_url, is_text = _said_by(name) if len(name) <= _SHORT else _says(name)
            if name == "data":
                is_text = holder.get("type") == "text"  # Anthropic's source of a plain document
            yield item, (way, name), is_url, is_text


def _says(name: str) -> tuple[bool, bool]:
    """Whether a key's name says that it holds a URL, and that it holds a text."""
    is_url = _NAMES_URL.search(name[-_LONGEST_ENDING:]) is not None
    return is_url, _WORDS.fullmatch(name) is not None


_said_by = lru_cache(4096)(_says)


def _fetched_by_none(root: _Root, holder: Mapping[str, Any], *, is_top: bool) -> tuple[str, ...]:
    """Keys of what stands below `root`, or at its top, below which a URL is nothing but words."""
    kind = holder.get("type", "function")
    if kind in _TEXTS and isinstance(holder.get("text"), str):
        return _CITED
    match root:
        case "input" if is_top and isinstance(kind, str) and kind.endswith("_call"):
            return (*_ELSEWHERE, "input")
        case "mcp_servers" if is_top:
            return ("headers",)
        case "tools" if is_top and kind == "mcp":
            return ("headers",)
        case "tools" | "input" if kind == "function" and isinstance(holder.get("name"), str):
            return _SCHEMAS
        case _:
            return ()


def refusal(request: LLMRequest, allowed: Iterable[str], bounds: Bounds = DEFAULTS) -> str | None:
    """Why the request must not be sent anywhere; None if nothing is wrong with it. Tells the field
    and never the URL, which may hold a secret."""
    allowed = tuple(allowed)
    hosts: set[str] = set()
    for count, (way, url) in enumerate(_request_urls(request), start=1):
        if count > bounds.max_urls:
            expected = beyond("max_urls", bounds.max_urls, "URLs")
            return f"{_written(way)}: expected {expected}, found {count:,} or more"
        why = _wrong(url, allowed)
        if why is not None:
            return f"{_written(way)}: {why}"
        hosts.add(_host(url))
        if len(hosts) > bounds.max_hosts:
            expected = beyond("max_hosts", bounds.max_hosts, "hosts")
            return f"{_written(way)}: expected {expected}, found {len(hosts):,} or more"
    return None


class TooLate(Exception):
    """The time was over before all hosts could be looked up. Says nothing of them."""


async def resolved_refusal(
    request: LLMRequest, allowed: Iterable[str], seconds: float = LOOKUPS_TIMEOUT
) -> str | None:
    """The same for what the hosts' names stand for now; each is looked up once, all at once.

    TooLate after `seconds`, or sooner. What was begun then goes on in its thread, to no effect.
    """
    named = {host for host in allowed if not _WILD.intersection(host)}
    ways: dict[str, _Way] = {}
    for way, url in _request_urls(request):
        host = _host(url)
        if host not in ways and host not in named and _address(host) is None:
            ways[host] = way
    if not ways:
        return None
    inside: list[str] = []

    async def look(host: str) -> None:
        if any(not _is_public(address) for address in await _resolve(host)):
            inside.append(host)
            nursery.cancel_scope.cancel()

    with trio.move_on_after(min(seconds, LOOKUPS_TIMEOUT)) as time:
        async with trio.open_nursery() as nursery:
            for host in ways:
                nursery.start_soon(look, host)
    if inside:
        return f"{_written(ways[inside[0]])}: the host has no public address"
    if time.cancelled_caught:
        raise TooLate
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
        if len(host) > _LONGEST_HOST:
            return ""
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
    found = await look_up(host, RESOLVE_TIMEOUT)
    addresses = (_address(str(entry[4][0])) for entry in found)
    return [address for address in addresses if address is not None]
