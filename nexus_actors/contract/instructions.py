"""System prompts beside the conversation: `instructions`, and Anthropic's `system`."""

from dataclasses import dataclass
from typing import Any

from nexus_actors.contract.messages import Spoken
from nexus_actors.contract.request import Message
from nexus_actors.contract.wrong import Wrong

System = str | list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Instructed:
    """The conversation with its system prompts in front."""

    spoken: Spoken
    beside_input: str | None
    """The instructions to send beside an `input` to the Responses API."""
    lost: tuple[str, ...]
    """Paths of what cannot be expressed."""


def read_system(value: Any) -> System | Wrong:
    """Check Anthropic's `system`: text, or blocks of text."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return Wrong(("system",), "text or a list of blocks of text", value)
    for index, block in enumerate(value):
        match block:
            case {"type": "text", "text": str()}:
                pass
            case _:
                return Wrong(("system", index), "a block of text", block)
    return value


def instructed(spoken: Spoken, instructions: str, system: System) -> Instructed:
    """Put the prompts in front as messages; beside an `input`, as one text."""
    if spoken.input is None:
        return Instructed(_in_front(spoken, (instructions, system)), None, ())
    lost: tuple[str, ...] = ()
    if not isinstance(system, str):
        marked = (index for index, block in enumerate(system) if block.get("cache_control"))
        lost = tuple(f"system[{index}].cache_control" for index in marked)
        system = "\n\n".join(block["text"] for block in system)
    beside = "\n\n".join(text for text in (instructions, system) if text)
    return Instructed(_in_front(spoken, (beside,)), beside or None, lost)


def _in_front(spoken: Spoken, contents: tuple[System, ...]) -> Spoken:
    front: tuple[Message, ...] = tuple(
        {"role": "system", "content": content} for content in contents if content
    )
    return Spoken(front + spoken.messages, spoken.input)
