"""Calls that tests have recorded, held against the rules of the vendor they were meant for."""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, cast

from tests.http_server import Recorded, Reply

Answer = Callable[[Recorded], Reply]


def vendor(name: str) -> Answer | None:
    """How this vendor answers; None where nobody has written it down."""
    if find_spec(f"{__package__}.{name}") is None:
        return None
    return cast("Answer", importlib.import_module(f"{__package__}.{name}").answer)


def complaints(answer: Answer, calls: Iterable[Recorded], *, base: str, own: str) -> list[Any]:
    """What the vendor says of those calls that break its rules. They were made below the path
    `base`; the vendor's is `own`."""
    replies = (
        answer(replace(call, path=own + call.path.removeprefix(base)))
        for call in calls
        if call.method == "POST" and call.path.startswith(base)
    )
    return [reply.body for reply in replies if reply.status >= 400]
