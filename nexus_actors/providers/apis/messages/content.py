"""Converts the turns of a conversation to messages of Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/api/messages/create

Consecutive turns of one role become one message, with the results of tools first, as the API
requires. A turn without content is left out. A message with only one text is plain text.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from nexus_actors.contract.foreign import clean_name
from nexus_actors.contract.json_text import Parsed, Unparsable, parse
from nexus_actors.providers.apis.call_ids import ANTHROPIC, Said, uses_in
from nexus_actors.providers.apis.conversation import ToolCall, Turn
from nexus_actors.providers.apis.messages.cache import Marks
from nexus_actors.providers.apis.messages.state import laid_out, read_state, thought
from nexus_actors.providers.apis.parts import Media, Part, Text, Thought, Unknown
from nexus_actors.providers.takes import Takes

_IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_THINKING: Final = ("thinking", "redacted_thinking")
GO_ON: Final = (
    "Your last message was cut off. Go on exactly where it ends: write what follows, and nothing"
    " of what is there already."
)
"""Replaces a prefilled answer if the model accepts none:
https://platform.claude.com/docs/en/api/errors#prefill-not-supported."""

_Block = dict[str, Any]
Tell = Callable[[str], None]


class Unsayable(Exception):
    """The API has no form for something, which the message names."""


def written_messages(turns: Sequence[Turn], takes: Takes, marks: Marks, tell: Tell) -> list[_Block]:
    """The turns as messages with lists of blocks. Raises `Unsayable` for what has no form."""
    writer = _Writer(turns, takes, marks, tell)
    messages: list[_Block] = []
    for turn in turns:
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = writer.blocks(turn)
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    for message in messages:
        if message["role"] == "user":  # the sort is stable, so the results keep their order
            message["content"].sort(key=lambda block: block["type"] != "tool_result")
    return messages


def trim_begun(messages: list[_Block]) -> None:
    """Strip trailing white space from a prefilled answer, since the API refuses it."""
    if messages and messages[-1]["role"] == "assistant":
        last = messages[-1]["content"][-1]
        if last["type"] == "text":
            last["text"] = last["text"].rstrip()


def is_begun(messages: Sequence[_Block]) -> bool:
    """Whether the last message is a prefilled answer."""
    return bool(messages) and messages[-1]["role"] == "assistant"


def lacks_thoughts(messages: Sequence[_Block]) -> bool:
    """Whether the latest turn with calls lacks the thinking before them."""
    if len(messages) < 2 or messages[-1]["content"][0]["type"] != "tool_result":
        return False
    return messages[-2]["content"][0]["type"] not in _THINKING


def plain(messages: Sequence[_Block]) -> list[_Block]:
    """The messages, with a single text as plain text."""
    return [{**message, "content": _plain(message["content"])} for message in messages]


def _plain(blocks: list[_Block]) -> Any:
    match blocks:
        case [{"type": "text", "text": text, **more}] if not more:
            return text
        case _:
            return blocks


class _Writer:
    def __init__(self, turns: Sequence[Turn], takes: Takes, marks: Marks, tell: Tell) -> None:
        self._takes = takes
        self._marks = marks
        self._tell = tell
        self._ids = ANTHROPIC.rewritten(
            uses_in(
                Said(turn.path, turn.role, [call.id for call in turn.calls], turn.call_id)
                for turn in turns
            )
        )

    def blocks(self, turn: Turn) -> list[_Block]:
        if turn.role == "assistant":
            return self._assistant(turn)
        if any(isinstance(part, Thought) for part in turn.parts):
            raise Unsayable(f"thinking outside an assistant's message ({turn.path})")
        if turn.role == "user":
            return self._parts(turn)
        blocks = self._parts(turn, marked=False)
        result: _Block = {"type": "tool_result", "tool_use_id": self._ids[turn.path]}
        if blocks:
            result["content"] = _plain(blocks)
        # Blocks inside a result cannot be marked, but the result can.
        caches = [it.cache for it in turn.parts if isinstance(it, Text | Media) and it.cache]
        self._marks.add(result, caches[-1] if caches else None, turn.path)
        return [result]

    def _assistant(self, turn: Turn) -> list[_Block]:
        calls = [
            self._call(call, self._ids[f"{turn.path}.tool_calls[{place}]"], turn.path)
            for place, call in enumerate(turn.calls)
        ]
        layout = read_state(turn.state)
        if turn.state is not None and layout is None:
            self._tell(f"{turn.path}.provider_state: no thinking with its signature")
        if layout is None or any(isinstance(part, Thought) for part in turn.parts):
            if turn.state is not None and layout is not None:
                self._tell(f"{turn.path}.provider_state: thinking stands in the content too")
            return self._without_last_thoughts([*self._parts(turn), *calls], turn.path)
        others = [it for it in self._parts(turn) if it["type"] != "text"]
        blocks = [*others, *laid_out(layout, turn.text, calls)]
        cache = next((it.cache for it in turn.parts if isinstance(it, Text) and it.cache), None)
        texts = [block for block in blocks if block["type"] == "text"]
        if texts:
            self._marks.add(texts[-1], cache, f"{turn.path}.content")
        return self._without_last_thoughts(blocks, turn.path)

    def _without_last_thoughts(self, blocks: list[_Block], path: str) -> list[_Block]:
        """The blocks without trailing thinking, which the API refuses."""
        kept = len(blocks)
        while kept and blocks[kept - 1]["type"] in _THINKING:
            kept -= 1
        if kept < len(blocks):
            self._tell(f"{path}: thinking that nothing follows")
        return blocks[:kept]

    def _parts(self, turn: Turn, *, marked: bool = True) -> list[_Block]:
        path = f"{turn.path}.content"
        blocks: list[_Block] = []
        for part in turn.parts:
            if isinstance(part, Thought):
                block = thought(part.block)
                if block is None:
                    self._tell(f"{path}: thinking without its signature")
                    continue
            else:
                block = _block(part, self._takes)
            cache = part.cache if marked and isinstance(part, Text | Media) else None
            if block is None:
                self._marks.carry(blocks, cache, path)
            else:
                self._marks.add(block, cache, path)
                blocks.append(block)
        return blocks

    def _call(self, call: ToolCall, call_id: str, path: str) -> _Block:
        block: _Block = {
            "type": "tool_use",
            "id": call_id,
            "name": call.name,
            "input": _arguments(call.arguments, path),
        }
        self._marks.add(block, call.cache, f"{path}.tool_calls")
        return block


def _arguments(text: str, path: str) -> _Block:
    """Parse arguments to the object that the API requires, even if they are empty or not JSON."""
    match parse(text or "{}"):
        case Parsed(value=dict() as value):
            return value
        case Parsed(value=value):
            return {"arguments": value}
        case Unparsable(is_json=True, reason=reason):
            raise Unsayable(f"arguments of a call in {path} with {reason}")
        case _:
            return {"arguments": text}


def _block(part: Part, takes: Takes) -> _Block | None:
    match part:
        case Text(text):
            # Text of only white space is refused, and has no meaning.
            return {"type": "text", "text": text} if text.strip() else None
        case Media(kind="image") if not takes.images:
            raise Unsayable("images with this model")
        case Media(kind="file") if not takes.files:
            raise Unsayable("documents with this model")
        case Media(kind="image"):
            return {"type": "image", "source": _image(part)}
        case Media(kind="audio"):
            raise Unsayable("recordings")
        case Media():
            return {"type": "document", "source": _document(part), **_about(part)}
        case Thought():
            raise Unsayable("a part of type thinking")
        case Unknown(kind):
            raise Unsayable(f"a part of type {clean_name(kind)}")


def _about(document: Media) -> _Block:
    """Fields of a document other than its source."""
    said: _Block = {}
    if document.name:
        said["title"] = document.name
    if document.context is not None:
        said["context"] = document.context
    if document.citations is not None:
        said["citations"] = {"enabled": document.citations}
    return said


def _image(media: Media) -> Mapping[str, Any]:
    if media.file_id is not None:
        return {"type": "file", "file_id": media.file_id}
    if media.url is not None:
        return {"type": "url", "url": media.url}
    if media.media_type not in _IMAGES:
        raise Unsayable(f"images of type {media.media_type}")
    return {"type": "base64", "media_type": media.media_type, "data": media.data}


def _document(media: Media) -> Mapping[str, Any]:
    if media.file_id is not None:
        return {"type": "file", "file_id": media.file_id}
    if media.url is not None:
        return {"type": "url", "url": media.url}
    if media.media_type == "application/pdf":
        return {"type": "base64", "media_type": media.media_type, "data": media.data}
    if media.media_type is not None and media.media_type.startswith("text/"):
        text = base64.b64decode(media.data or "").decode("utf-8", "replace")
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise Unsayable(f"documents of type {media.media_type}")
