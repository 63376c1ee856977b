"""Maps the name that a provider refuses to a field of the request.

A name is believed only if it stands for a field that this very call sent and that the request can
do without. So a prompt that quotes an error, or a server that names anything, cannot remove other
fields.
"""

from collections.abc import Collection, Mapping
from typing import Any

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS
from nexus_actors.providers.port import ProviderFailure

LIMIT = "max_tokens"
"""This field is never left out, but sent under its other name in chat completions."""
_LONGEST = 200
_SHORTEST = 4


def dispensable(
    failure: ProviderFailure,
    request: LLMRequest,
    body: Mapping[str, Any],
    names: Mapping[str, str],
    without: Collection[str] = (),
) -> str | None:
    """The field of the request that a failure names (`refused_field`, as the provider worded it),
    if the call is worth repeating without it.

    `request` is what the body was made from. `names` maps places in the body to fields of another
    name. `without` are fields that were left out already.
    """
    refused = failure.refused_field
    rejected = failure.type == ErrorType.REQUEST_REJECTED and failure.status_code != 413
    if refused is None or not rejected or len(refused) > _LONGEST:
        return None
    renamed = {_path(place): field for place, field in names.items()}
    path = _place(body, _path(refused), renamed)
    field = _meant(path, renamed)
    if field is None or field in without or not _is_in(body, path):
        return None
    if field == LIMIT:
        return None if failure.refused_value else field
    asked = field in OPTIONAL_FIELDS and getattr(request, field) != OPTIONAL_FIELDS[field]
    return field if asked else None


def names_a_value(refused: str, field: str, names: Mapping[str, str]) -> bool:
    """Whether the name is inside the field (`metadata.x`, a key that the producer chose) or one of
    the field's forms. That says nothing about the field itself."""
    path, places = _path(refused), {_path(place) for place in names}
    known = next((end for end in range(len(path), 0, -1) if path[:end] in places), 1)
    return known < len(path) or field == "thinking"


def _place(
    body: Mapping[str, Any], path: tuple[str, ...], places: Collection[tuple[str, ...]]
) -> tuple[str, ...]:
    """The path in the body. Some servers name its last part only (`effort`), join the parts
    (`reasoningEffort`), or name a group of fields (`penalty`)."""
    word = path[0]
    if len(path) > 1 or _is_in(body, path):
        return path
    is_part = len(word) >= _SHORTEST and word not in map(_word, OPTIONAL_FIELDS)
    meant = (it for it in places if "".join(it) == word or (is_part and it[-1].endswith(word)))
    return next((it for it in meant if _is_in(body, it)), path)


def _meant(path: tuple[str, ...], renamed: Mapping[tuple[str, ...], str]) -> str | None:
    """The field of the nearest place at or above the path; else of the only place below it; else
    the field with this name."""
    for end in range(len(path), 0, -1):
        if path[:end] in renamed:
            return renamed[path[:end]]
    below = {field for place, field in renamed.items() if place[: len(path)] == path}
    if below:
        return below.pop() if len(below) == 1 else None
    return next((field for field in OPTIONAL_FIELDS if _word(field) == path[0]), None)


def _is_in(body: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether the body has this path, or a parent that is not an object: Anthropic's
    `thinking.type.enabled` names a value."""
    inner: Any = body
    for depth, word in enumerate(path):
        if not isinstance(inner, Mapping):
            return depth > 0
        found = [value for key, value in inner.items() if _word(key) == word]
        if not found:
            return False
        inner = found[0]
    return True


def _path(name: str) -> tuple[str, ...]:
    return tuple(_word(word) for word in name.split("."))


def _word(word: str) -> str:
    """Normalize a name: no index, no underscores, lower case. Google names what was sent as
    `generationConfig.topP` `generation_config.top_p`."""
    return word.partition("[")[0].replace("_", "").lower()
