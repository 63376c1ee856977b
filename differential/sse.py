"""Streams as servers write them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

STREAMED: Final = {"content-type": "text/event-stream"}


@dataclass(frozen=True, slots=True)
class Served:
    """What a server answers with, and whose server it is."""

    model: str
    """`Model.key`."""
    body: Any
    """As JSON; of a stream the text."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """That are not the usual ones."""


def sse(*events: Mapping[str, Any] | str, done: bool = True) -> str:
    """Events without names; text stands as it is."""
    told = [it if isinstance(it, str) else f"data: {json.dumps(it)}\n\n" for it in events]
    return "".join(told) + ("data: [DONE]\n\n" if done else "")


def named(*events: Mapping[str, Any] | str) -> str:
    """Events with their types for names."""
    return "".join(
        it if isinstance(it, str) else f"event: {it['type']}\ndata: {json.dumps(it)}\n\n"
        for it in events
    )
