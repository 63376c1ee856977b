"""Writes the parts of one message in the forms of chat completions.

Content is never dropped, since that would change the question: what the model or the API does not
accept is refused. A part of an unknown type is sent unchanged, and the server reports an error if
it does not know the type. Cache marks and another provider's thinking blocks are not content: they
are left out, which is reported.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nexus_actors.providers.apis.chat.dialect import Dialect
from nexus_actors.providers.apis.parts import (
    Media,
    Part,
    Text,
    Thought,
    Unknown,
    file_name,
    has_odd_data,
    read_part,
)
from nexus_actors.providers.takes import Takes

_PLAIN_TEXT = ("text/plain", "text/markdown", "text/csv", "text/html")


class Unsayable(Exception):
    """The API cannot express this part, or the model does not accept it. The message says why."""


@dataclass(slots=True)
class Written:
    """The written parts of one message."""

    parts: list[dict[str, Any]] = field(default_factory=list)
    media: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Parts of a tool's result other than text, with their indexes: results only allow text."""

    def content(self) -> str | list[dict[str, Any]]:
        """Plain text if the parts contain only text, since every server accepts that."""
        texts = [part["text"] for part in self.parts if _is_plain(part)]
        return "".join(texts) if len(texts) == len(self.parts) else self.parts


def _is_plain(part: dict[str, Any]) -> bool:
    kind, text = part.get("type"), part.get("text")
    return len(part) == 2 and kind == "text" and isinstance(text, str)


class PartWriter:
    """Writes the parts of a request's messages. Appends to `dropped` meanwhile."""

    def __init__(self, takes: Takes, dialect: Dialect, dropped: list[str]) -> None:
        self._takes = takes
        self._dialect = dialect
        self._dropped = dropped

    def written(self, content: Any, path: str, *, text_only: bool) -> Written:
        """Write the `content` of a message. `text_only`: for a tool's result."""
        written = Written()
        if isinstance(content, str):
            written.parts.append({"type": "text", "text": content})
            return written
        for place, part in enumerate(content if isinstance(content, list | tuple) else ()):
            where = f"{path}.content[{place}]"
            known = read_part(part)
            form = self._form(known, part, where)
            if form is None:
                continue
            if text_only and form.get("type") != "text":
                written.media.append((place, form))
            else:
                written.parts.append(self._marked(form, part, where))
        return written

    def _marked(self, form: dict[str, Any], part: Any, where: str) -> dict[str, Any]:
        """The part with its cache mark, if marks are accepted."""
        cache = part.get("cache_control") if isinstance(part, Mapping) else None
        if cache is None:
            return form
        if self._takes.cache_control and isinstance(cache, Mapping):
            return {**form, "cache_control": cache}
        self._dropped.append(f"{where}.cache_control")
        return form

    def _form(self, known: Part, part: Any, where: str) -> dict[str, Any] | None:
        match known:
            case Text(text=text):
                return {"type": "text", "text": text}
            case Thought():
                self._dropped.append(f"{where}: thoughts of another provider's")
                return None
            case Media(kind="image"):
                return self._image(known, where)
            case Media(kind="audio"):
                return self._recording(known, where)
            case Media():
                return self._file(known, where)
            case Unknown() if has_odd_data(part):
                raise Unsayable(f"{where}: expected base64, or a data: URL")
            case Unknown():
                return _as_it_is(part)

    def _image(self, image: Media, where: str) -> dict[str, Any]:
        if not self._takes.images:
            raise Unsayable(f"{where}: the model takes no images")
        if image.file_id is not None:
            raise Unsayable(f"{where}: chat completions have no images by the id of an upload")
        if image.data is None and not self._takes.image_urls:
            raise Unsayable(f"{where}: the server takes images as data only, not by URL")
        url = image.url if image.data is None else _data_url(image)
        detail = {"detail": image.detail} if image.detail else {}
        return {"type": "image_url", "image_url": {"url": url, **detail}}

    def _recording(self, recording: Media, where: str) -> dict[str, Any]:
        if not self._takes.audio:
            raise Unsayable(f"{where}: the model takes no recordings")
        if self._dialect.media == "mistral":
            return {"type": "input_audio", "input_audio": recording.data}
        form = (recording.media_type or "audio/wav").partition("/")[2]
        return {"type": "input_audio", "input_audio": {"data": recording.data, "format": form}}

    def _file(self, file: Media, where: str) -> dict[str, Any]:
        if file.data is not None and file.media_type in _PLAIN_TEXT:
            text = base64.b64decode(file.data).decode("utf-8", "replace")
            return {"type": "text", "text": text}
        if not self._takes.files:
            raise Unsayable(f"{where}: the model takes no files")
        if self._dialect.media == "mistral":
            return _mistral_file(file)
        if file.data is not None:
            data = {"file_data": _data_url(file), "filename": file_name(file)}
            return {"type": "file", "file": data}
        name = {"filename": file.name} if file.name else {}
        if file.file_id is not None:
            return {"type": "file", "file": {"file_id": file.file_id, **name}}
        if not self._takes.file_urls:
            raise Unsayable(f"{where}: the server takes files as data only, not by URL")
        # https://openrouter.ai/docs/features/multimodal/pdfs: a URL takes the place of the data.
        key = "file_data" if self._dialect.media == "openrouter" else "file_url"
        return {"type": "file", "file": {key: file.url, **name}}


def _data_url(media: Media) -> str:
    return f"data:{media.media_type};base64,{media.data}"


def _mistral_file(file: Media) -> dict[str, Any]:
    """https://docs.mistral.ai/capabilities/document_ai/document_qna"""
    if file.file_id is not None:
        return {"type": "file", "file_id": file.file_id}
    name = {"document_name": file.name} if file.name else {}
    url = file.url if file.data is None else _data_url(file)
    return {"type": "document_url", "document_url": url, **name}


def _as_it_is(part: Any) -> dict[str, Any]:
    """A part of unknown type, or with data that is not base64, in the form of chat completions. The
    server says what is wrong with it."""
    match part:
        case {"type": "input_image", "image_url": str(url)}:
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case {"type": "input_file"}:
            keys = ("file_data", "file_id", "file_url", "filename")
            return {"type": "file", "file": {key: part[key] for key in keys if key in part}}
        case Mapping():
            return {key: value for key, value in part.items() if key != "cache_control"}
        case _:
            return {"type": "text", "text": str(part)}
