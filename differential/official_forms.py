"""The requests in each vendor's own form, written by hand after its documentation.

Chat completions: the cases' own `chat`, but for fields that API does not have.
"""

from collections.abc import Mapping
from typing import Any, Final

from differential import official_gemini, official_messages, official_responses
from differential.models import Model
from differential.requests import CASES

_NOT_OPENAI: Final = ("top_k", "thinking", "cache in", "cache at")
"""Cases of fields that are no fields of OpenAI's."""


def responses_form(name: str) -> Mapping[str, Any] | None:
    """Of the Responses API; None where it has none."""
    return official_responses.FORMS.get(name)


def official(model: Model, name: str) -> Mapping[str, Any] | None:
    """What the vendor's own client is given; None where there is none, or no such form."""
    match model.vendor:
        case "openai-chat":
            return None if name.startswith(_NOT_OPENAI) else CASES[name].chat
        case "openai-responses":
            return official_responses.FORMS.get(name)
        case "anthropic":
            return official_messages.form(name, model.name)
        case "gemini":
            return official_gemini.form(name, model.name)
        case _:
            return None
