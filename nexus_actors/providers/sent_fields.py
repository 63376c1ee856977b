"""Which field of a request it is that a provider refuses by name.

A name is believed only where it stands for something that was sent in this very call, and that the
request may go without: a prompt that quotes an error, or a server that names whatever it likes, can
take nothing else away.
"""

from collections.abc import Collection, Mapping
from typing import Any

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS
from nexus_actors.providers.port import ProviderFailure

LIMIT = "max_tokens"
"""Is never left out: it goes under the other name that chat completions have for it."""
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

    `request`: what the body was written from. `names`: places in the body that stand for a field of
    another name. `without`: fields that were left out of it already.
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
    """Whether what is named lies inside the field (`metadata.x`, a key that the producer chose), or
    is one of the forms that it may have: that says nothing of the field itself."""
    path, places = _path(refused), {_path(place) for place in names}
    known = next((end for end in range(len(path), 0, -1) if path[:end] in places), 1)
    return known < len(path) or field == "thinking"


def _place(
    body: Mapping[str, Any], path: tuple[str, ...], places: Collection[tuple[str, ...]]
) -> tuple[str, ...]:
    """Where it stands in the body: some servers say the last part alone (`effort`), run the parts
    together (`reasoningEffort`), or name a kind (`penalty`)."""
    word = path[0]
    if len(path) > 1 or _is_in(body, path):
        return path
    is_part = len(word) >= _SHORTEST and word not in map(_word, OPTIONAL_FIELDS)
    meant = (it for it in places if "".join(it) == word or (is_part and it[-1].endswith(word)))
    return next((it for it in meant if _is_in(body, it)), path)


def _meant(path: tuple[str, ...], renamed: Mapping[tuple[str, ...], str]) -> str | None:
    """By the nearest place at or above what is named; else by the only one below it; else by its
    own name."""
    for end in range(len(path), 0, -1):
        if path[:end] in renamed:
            return renamed[path[:end]]
    below = {field for place, field in renamed.items() if place[: len(path)] == path}
    if below:
        return below.pop() if len(below) == 1 else None
    return next((field for field in OPTIONAL_FIELDS if _word(field) == path[0]), None)


def _is_in(body: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether the body has the place, or one above it that holds no object: Anthropic's
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
    """Without an index. Google says `generation_config.top_p` of what was sent as
    `generationConfig.topP`."""
    return word.partition("[")[0].replace("_", "").lower()
