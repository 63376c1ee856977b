"""The fields of a request without which it is still the same question.

Only these may be left out because a provider refused them: `LLMRequest`'s names, each with what it
is where it is absent.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import structs

from nexus_actors.contract.request import LLMRequest

OPTIONAL_FIELDS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "temperature": None,
        "top_p": None,
        "top_k": None,
        "presence_penalty": None,
        "frequency_penalty": None,
        "seed": None,
        "reasoning_effort": None,
        "reasoning_summary": None,
        "thinking": None,
        "verbosity": None,
        "parallel_tool_calls": None,
        "include": (),
        "cache_control": None,
        "prompt_cache_key": None,
        "service_tier": None,
        "user": None,
        "metadata": None,
    }
)


def without_fields(
    request: LLMRequest, without: Mapping[str, str]
) -> tuple[LLMRequest, tuple[str, ...]]:
    """The request without these fields, and what `dropped` is to say of those it had. Names that
    are not optional are passed over."""
    absent = {
        name: OPTIONAL_FIELDS[name]
        for name in without
        if name in OPTIONAL_FIELDS and getattr(request, name) != OPTIONAL_FIELDS[name]
    }
    if not absent:
        return request, ()
    return structs.replace(request, **absent), tuple(f"{name}: {without[name]}" for name in absent)
