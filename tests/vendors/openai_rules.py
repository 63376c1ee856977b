"""What both of OpenAI's APIs have in common: the form of an error, and the rules by model.

https://developers.openai.com/api/docs/guides/error-codes: `param` names the field, `code` is
`unsupported_parameter`, `unsupported_value`, `unknown_parameter` and the like.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.http_server import Reply
from tests.vendors.openai_models import Facts

Body = Mapping[str, Any]
_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
DATA: Final = re.compile(
    r"data:(image/(png|jpeg|gif|webp)|application/pdf|text/plain);base64,([A-Za-z0-9+/]{4})*"
    r"([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
)


@dataclass(frozen=True)
class Complaint:
    """What is wrong with a call."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400

    def reply(self) -> Reply:
        error = {
            "message": self.message,
            "type": "invalid_request_error",
            "param": self.param,
            "code": self.code,
        }
        return Reply(status=self.status, body={"error": error})


def unsupported(param: str) -> Complaint:
    message = f"Unsupported parameter: '{param}' is not supported with this model."
    return Complaint(message, param, "unsupported_parameter")


def bad_value(param: str, value: Any, model: str, taken: tuple[str, ...]) -> Complaint:
    known = ", ".join(f"'{it}'" for it in taken)
    message = (
        f"Unsupported value: '{value}' is not supported with the '{model}' model."
        f" Supported values are: {known}."
    )
    return Complaint(message, param, "unsupported_value")


def too_long(param: str, value: str, most: int) -> Complaint | None:
    if len(value) <= most:
        return None
    message = f"Invalid '{param}': string too long. Expected a string with maximum length {most}."
    return Complaint(message, param, "string_above_max_length")


def unknown(body: Body, known: frozenset[str]) -> Complaint | None:
    for name in body:
        if name not in known:
            return Complaint(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    return None


def samplers(body: Body, known: Facts, effort: str | None) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/guides/latest-model: `temperature`, `top_p` and
    `logprobs` only at effort `none`; other reasoning models take the default alone."""
    taken = known.samplers == "always" or (known.samplers == "at effort none" and effort == "none")
    for name in ("temperature", "top_p"):
        if name in body and body[name] != 1 and not taken:
            yield unsupported(name)


def effort(body: Body, asked: Any, param: str, known: Facts) -> Iterator[Complaint]:
    if asked is None or known.optional_only:
        return
    if not known.reasons:
        yield unsupported(param)
    elif asked not in known.efforts:
        yield bad_value(param, asked, body["model"], known.efforts)


def verbosity(body: Body, asked: Any, param: str, known: Facts) -> Iterator[Complaint]:
    if asked is not None and asked not in known.verbosity:
        yield bad_value(param, asked, body["model"], known.verbosity)


def limit(value: Any, param: str, known: Facts, least: int) -> Iterator[Complaint]:
    if value is None:
        return
    if not isinstance(value, int) or value < least:
        message = f"Invalid '{param}': integer below minimum value. Expected a value >= {least}."
        yield Complaint(message, param, "integer_below_min_value")
    elif known.most is not None and value > known.most:
        message = f"{param} is too large: {value}. This model supports at most {known.most}."
        yield Complaint(message, param, "invalid_value")


def account(body: Body) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/api-reference/responses/create: `metadata`,
    `safety_identifier`, `prompt_cache_key`, `service_tier`."""
    for name in ("safety_identifier", "prompt_cache_key"):
        if name in body and (wrong := too_long(name, body[name], 64)) is not None:
            yield wrong
    if body.get("service_tier", "auto") not in _TIERS:
        yield Complaint("Invalid value: 'service_tier'.", "service_tier", "invalid_value")
    metadata = body.get("metadata") or {}
    if len(metadata) > 16:
        yield Complaint("Invalid 'metadata': too many properties.", "metadata")
    for key, value in metadata.items():
        if len(key) > 64 or not isinstance(value, str) or len(value) > 512:
            yield Complaint(f"Invalid 'metadata.{key}'.", f"metadata.{key}")


def schema(wanted: Mapping[str, Any], param: str) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas"""
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(wanted.get("name"))):
        yield Complaint(f"Missing required parameter: '{param}.name'.", f"{param}.name")
    if wanted.get("strict") and not _is_strict(wanted.get("schema")):
        message = "Invalid schema: 'additionalProperties' is required to be supplied and false."
        yield Complaint(message, param, "invalid_json_schema")


def _is_strict(found: Any) -> bool:
    if not isinstance(found, dict):
        return True
    if found.get("type") == "object":
        properties = found.get("properties", {})
        if found.get("additionalProperties") is not False:
            return False
        if set(found.get("required", ())) != set(properties):
            return False
    inner = [*found.get("properties", {}).values(), found.get("items")]
    return all(_is_strict(it) for it in inner)


def says_json(kind: Any, said: Any, param: str) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/guides/structured-outputs#json-mode"""
    if kind == "json_object" and "json" not in json.dumps(said).lower():
        message = f"Messages must contain the word 'json' in some form to use '{param}'."
        yield Complaint(message, param)
