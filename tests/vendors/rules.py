"""Calls that tests have recorded, held against the rules of the vendor they were meant for."""

import importlib
import json
import re
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


def complaints(
    answer: Answer, calls: Iterable[Recorded], *, base: str, own: str, model: str | None = None
) -> list[Any]:
    """What the vendor says of those calls that break its rules. They were made below the path
    `base`; the vendor's is `own`. `model`: one that the vendor has, where the tests' are odd."""
    replies = (
        answer(_named(replace(call, path=own + call.path.removeprefix(base)), model))
        for call in calls
        if call.method == "POST" and call.path.startswith(base)
    )
    return [reply.body for reply in replies if reply.status >= 400]


def _named(call: Recorded, model: str | None) -> Recorded:
    """The same call for another model, wherever the name stands."""
    if model is None:
        return call
    path = re.sub(r"/models/[^/:?]+:", f"/models/{model}:", call.path)
    body = call.json
    if isinstance(body, dict) and "model" in body:
        return replace(call, path=path, body=json.dumps({**body, "model": model}).encode())
    return replace(call, path=path)
