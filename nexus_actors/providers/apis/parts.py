"""Converts the parts of a message's content to a neutral form, whichever API they were written
for."""

import base64
import binascii
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from nexus_actors.providers.http.api import text_or_none

Cache: TypeAlias = Mapping[str, Any]
"""Anthropic's `cache_control`, such as `{"type": "ephemeral"}`: cache the prompt up to here."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text."""

    text: str
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a document or a recording: as a URL, as the id of an upload, or as base64 data."""

    kind: Literal["image", "file", "audio"]
    url: str | None = None
    data: str | None = None
    """Base64 without white space."""
    media_type: str | None = None
    """The type of `data`, such as `image/png`."""
    file_id: str | None = None
    name: str | None = None
    detail: str | None = None
    """`low`, `high` or `auto`."""
    cache: Cache | None = None
    context: str | None = None
    """Anthropic's `context` of a document."""
    citations: bool | None = None
    """Anthropic's `citations`: whether the answer is to cite the document."""


@dataclass(frozen=True, slots=True)
class Thought:
    """Anthropic's block `thinking` or `redacted_thinking`."""

    block: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A content part of another type."""

    type: str


Part: TypeAlias = Text | Media | Thought | Unknown


def kind_by_name(name: str) -> str | None:
    """The media type for the suffix of a path. `mimetypes` gets only the last segment: it takes
    anything longer for a URL, and raises ValueError if that is invalid."""
    return mimetypes.guess_type(name.rpartition("/")[2].rpartition(":")[2])[0]


def file_name(file: Media) -> str:
    """The file name of a document that is sent as data, with a suffix for its type, as OpenAI
    requires."""
    name = file.name or "document"
    if kind_by_name(name) is not None:
        return name
    kind = file.media_type or ""
    return f"{name}{_SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ''}"


_SUFFIXES: Final = {"application/pdf": ".pdf", "text/plain": ".txt", "text/markdown": ".md"}


def read_part(part: Any) -> Part:
    """Convert one content part, in any known form."""
    known = _read(part)
    cache = part.get("cache_control") if isinstance(part, Mapping) else None
    if isinstance(cache, Mapping) and isinstance(known, Text | Media):
        return replace(known, cache=cache)
    return known


def _read(part: Any) -> Part:
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return Text(text)
        case {"type": "refusal", "refusal": str(text)}:
            return Text(text)
        case {"type": "thinking" | "redacted_thinking"}:
            return Thought(part)
        case _:
            return _read_media(part)


def _read_media(part: Any) -> Part:
    match part:
        case {"type": "image" | "document" as kind, "source": Mapping() as source}:
            own = _from_source("image" if kind == "image" else "file", source, part)
            return _with_context(own, part) if kind == "document" else own
        case {"type": "input_audio", "input_audio": {"data": str(data), **more}}:
            return _recording(data, text_or_none(more.get("format")) or "wav")
        case {"type": "image_url", "image_url": {"url": str(url), **more}}:
            return _media("image", url, detail=text_or_none(more.get("detail")))
        case {"type": "image_url" | "input_image", "image_url": str(url)}:
            return _media("image", url, detail=text_or_none(part.get("detail")))
        case {"type": "input_image", "file_id": str(file_id)}:
            return Media("image", file_id=file_id, detail=text_or_none(part.get("detail")))
        case {"type": "file", "file": Mapping() as file}:
            return _file(file)
        case {"type": "input_file"}:
            return _file(part)
        case {"type": str(kind)}:
            return Unknown(kind)
        case _:
            return Unknown("none")


def has_odd_data(part: Any) -> bool:
    """Whether the part has data that is neither base64 nor a `data:` URL. A server might take it
    for a URL or a path, and fetch that."""
    match part:
        case (
            {"type": "file", "file": {"file_data": data}}
            | {"type": "input_file", "file_data": data}
            | {"type": "input_audio", "input_audio": {"data": data}}
            | {"type": "image" | "document", "source": {"type": "base64", "data": data}}
        ):
            pass
        case {"type": "input_audio", "input_audio": data} if not isinstance(data, Mapping):
            pass
        case _:
            return False
    if not isinstance(data, str):
        return data is not None
    return data[:5].lower() != "data:" and _base64(data) is None


def _from_source(
    kind: Literal["image", "file"], source: Mapping[str, Any], part: Mapping[str, Any]
) -> Part:
    """Convert Anthropic's form of an image or a document."""
    name = text_or_none(part.get("title"))
    match source:
        case {"type": "base64", "data": str(data), "media_type": str(media_type)}:
            return _media(kind, f"data:{media_type};base64,{data}", name=name)
        case {"type": "text", "data": str(text)}:
            data = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
            return Media(kind, data=data, media_type="text/plain", name=name)
        case {"type": "url", "url": str(url)}:
            return Media(kind, url=url, name=name)
        case {"type": "file", "file_id": str(file_id)}:
            return Media(kind, file_id=file_id, name=name)
        case _:
            return Unknown(str(part.get("type")))


def _with_context(own: Part, part: Mapping[str, Any]) -> Part:
    match part.get("citations"):
        case {"enabled": bool(enabled)}:
            citations: bool | None = enabled
        case _:
            citations = None
    if not isinstance(own, Media):
        return own
    return replace(own, context=text_or_none(part.get("context")), citations=citations)


def _recording(data: str, form: str) -> Part:
    body, media_type = _base64(data), f"audio/{form}"
    if body is None or not _MEDIA_TYPE.fullmatch(media_type):
        return Unknown("input_audio")
    return Media("audio", data=body, media_type=media_type)


def _file(file: Mapping[str, Any]) -> Part:
    name = text_or_none(file.get("filename"))
    match file:
        case {"file_data": str(data)}:
            return _media("file", data if data[:5] == "data:" else _as_pdf(data), name=name)
        case {"file_url": str(url)}:
            return _media("file", url, name=name)
        case {"file_id": str(file_id)}:
            return Media("file", file_id=file_id, name=name)
        case _:
            return Unknown("file")


def _as_pdf(data: str) -> str:
    """Bare base64 as a `data:` URL. PDF is the one type of document that all APIs accept."""
    return f"data:application/pdf;base64,{data}"


def _media(
    kind: Literal["image", "file"], url: str, *, detail: str | None = None, name: str | None = None
) -> Part:
    """Media by its URL. The content of a `data:` URL (RFC 2397) becomes data."""
    if url[:5].lower() != "data:":
        return Media(kind, url=url, name=name, detail=detail)
    head, comma, body = url[5:].partition(",")
    media_type, *options = head.split(";")
    if not comma:
        return Unknown(kind)
    if "base64" in options:
        data = _base64(body)
        if data is None:
            return Unknown(kind)
    else:
        data = base64.b64encode(unquote_to_bytes(body)).decode("ascii")
    media_type = media_type.strip().lower()
    media_type = _MEDIA_TYPES.get(media_type, media_type) or "text/plain"
    if not _MEDIA_TYPE.fullmatch(media_type):
        return Unknown(kind)
    return Media(kind, data=data, media_type=media_type, name=name, detail=detail)


_MEDIA_TYPE: Final = re.compile(
    r"[a-zA-Z0-9][\w!#$&^.+-]{0,63}/[a-zA-Z0-9][\w!#$&^.+-]{0,63}", re.A
)
"""A media type (RFC 6838) of limited length, since our own messages quote unsupported types."""
_MEDIA_TYPES: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg"}
"""Common wrong names → the names that the APIs know."""


def _base64(text: str) -> str | None:
    """Normalize base64: no white space, padded, standard alphabet. None if it is not base64."""
    data = "".join(text.split()).translate(_USUAL).rstrip("=")
    data += "=" * (-len(data) % 4)
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data


_USUAL: Final = str.maketrans("-_", "+/")
