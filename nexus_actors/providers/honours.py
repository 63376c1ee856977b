"""Whether a model can honour the fields that would change the question if they were left out.

These are a forced tool call, a prefilled answer, stop sequences, the response format, images, files
and audio. Routing prefers models that can honour them. All other fields may be left out, which the
result reports. Pure; `models.toml` says what each model accepts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.providers.takes import Takes

_WHY: Final[Mapping[str, str]] = {
    "tool_choice": "it takes no tool_choice",
    "forced_tool_choice": "it cannot be made to call a tool",
    "prefill": "it does not go on with a last message from the assistant",
    "stop": "it takes no stop sequences",
    "blank_stop": "it takes no stop sequence of white space alone",
    "images": "it takes no images",
    "image_urls": "it takes images as data only, not by URL",
    "files": "it takes no files",
    "file_urls": "it takes files as data only, not by URL",
    "audio": "it takes no audio",
}
"""A field of `Takes` → the reason to report if it is false."""
IMAGES: Final = frozenset({"image_url", "input_image", "image"})
_FILES: Final = frozenset({"file", "input_file", "document"})
AUDIO: Final = frozenset({"input_audio"})
MEDIA: Final = IMAGES | _FILES | AUDIO
"""Types of parts of a message's content that are not text."""
_OF_FUNCTIONS: Final = frozenset({"any", "required", "tool", "function", "allowed_tools"})
"""Types of a tool choice that concern functions."""
_SYSTEM: Final = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one request requires of a model."""

    flags: tuple[str, ...]
    """Fields of `Takes` that must be true."""
    stops: int
    output: str | None
    """The response format: `json_object` or `json_schema`."""


def wanted(request: LLMRequest, *, media: bool = True) -> Wanted | None:
    """What a request requires; None for most requests. `media`: whether messages may have parts
    that are not text."""
    output = None if request.response_format is None else request.response_format.get("type")
    flags: list[str] = []
    if request.tool_choice is not None and _is_forced(request):
        flags += ("tool_choice", "forced_tool_choice")
    if _is_begun(request):
        flags.append("prefill")
    if request.stop:
        flags.append("stop")
        if not all(map(str.strip, request.stop)):
            flags.append("blank_stop")
    if media:
        flags += dict.fromkeys(_media(request.messages))
    if output == "text":
        output = None
    if not flags and output is None:
        return None
    return Wanted(tuple(flags), len(request.stop), output)


def unhonoured(wanted: Wanted | None, takes: Takes) -> str | None:
    """Why a model cannot honour what is wanted; None if it can."""
    if wanted is None:
        return None
    for flag in wanted.flags:
        if not getattr(takes, flag):
            return _WHY[flag]
    if takes.most_stops is not None and wanted.stops > takes.most_stops:
        return f"it takes {takes.most_stops} stop sequences at most, not {wanted.stops}"
    if wanted.output is not None and wanted.output not in takes.outputs:
        return f"it does not keep to a response_format of {wanted.output}"
    return None


def _is_forced(request: LLMRequest) -> bool:
    """Whether the request forces the call of a tool that it has."""
    asked = request.tool_choice
    match asked:
        case {"type": "auto" | "none"}:
            return False
        case {"type": "allowed_tools", "mode": mode} | {
            "type": "allowed_tools",
            "allowed_tools": {"mode": mode},
        } if mode != "required":
            return False
        case {"type": str(kind)} if kind not in _OF_FUNCTIONS:
            # A type of tool of its own: forced if the request has such a tool.
            return any(tool.get("type") == kind for tool in request.tools)
        case "auto" | "none" | None:
            return False
        case _:
            return any(tool.get("type", "function") == "function" for tool in request.tools)


def _is_begun(request: LLMRequest) -> bool:
    """Whether the answer is prefilled: the last message is the assistant's. Instructions may follow
    it, since some APIs send them separately."""
    for message in reversed(request.messages):
        if message["role"] not in _SYSTEM:
            return message["role"] == "assistant" and _says_something(message)
    return False


def _says_something(message: Message) -> bool:
    """Whether an assistant's message has text and no calls."""
    if message.get("tool_calls"):
        return False
    content = message.get("content")
    parts = content if isinstance(content, list | tuple) else (content, message.get("refusal"))
    return any(_text(part).strip() for part in parts)


def _text(part: Any) -> str:
    text = part.get("text") or part.get("refusal") if isinstance(part, Mapping) else part
    return text if isinstance(text, str) else ""


def _media(messages: tuple[Message, ...]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list | tuple) else ():
            kind = part.get("type") if isinstance(part, Mapping) else None
            if kind in IMAGES:
                yield "images"
                if _is_by_url(part):
                    yield "image_urls"
            elif kind in _FILES:
                yield "files"
                if _is_by_url(part):
                    yield "file_urls"
            elif kind in AUDIO:
                yield "audio"


def _is_by_url(part: Mapping[str, Any]) -> bool:
    match part:
        case (
            {"image_url": {"url": str(url)} | str(url)}
            | {"file": {"file_url": str(url)}}
            | {"file_url": str(url)}
        ):
            return url[:5].lower() != "data:"
        case {"source": {"type": "url"}}:
            return True
        case _:
            return False
