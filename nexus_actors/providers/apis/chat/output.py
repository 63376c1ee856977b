"""Writes the response format in the form of chat completions.

For a server without JSON Schemas, or even without JSON, the format becomes an instruction, and the
answer is validated on our side. Several servers refuse JSON without a schema unless the messages
contain the word (https://platform.openai.com/docs/guides/structured-outputs#json-mode,
https://api-docs.deepseek.com/guides/json_mode), so it is added.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.redact import texts
from nexus_actors.providers.takes import Takes

_JSON: Final = "Answer with a JSON object."


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the response format is sent."""

    format: Mapping[str, Any] | None = None
    """The value of `response_format`."""
    instruction: str | None = None
    """An addition to the system message."""
    check: Mapping[str, Any] | None = None
    """See `Prepared.check`."""


def wanted_output(request: LLMRequest, takes: Takes, dropped: list[str]) -> Output:
    """The requested format, or the nearest one that the model accepts."""
    wanted = request.response_format
    if wanted is None:
        return Output()
    form = _nested(wanted)
    kind = form.get("type")
    if kind not in ("json_object", "json_schema"):
        return Output(format=form)
    if kind in takes.outputs:
        if kind == "json_schema" or _says_json(request):
            return Output(format=form)
        dropped.append("response_format: sent with a system message that says JSON")
        return Output(format=form, instruction=_JSON)
    schema = _schema(form)
    nearest = "json_object" if "json_object" in takes.outputs else None
    dropped.append(f"response_format: sent as {nearest or 'nothing'} with a system message")
    return Output(
        format=None if nearest is None else {"type": nearest},
        instruction=_by_schema(schema),
        check=schema,
    )


def _nested(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nest the Responses API's flat schema. A nested one is unchanged."""
    if wanted["type"] != "json_schema" or "json_schema" in wanted:
        return wanted
    schema = {key: value for key, value in wanted.items() if key != "type"}
    return {"type": "json_schema", "json_schema": {"name": "answer", **schema}}


def _schema(form: Mapping[str, Any]) -> Mapping[str, Any] | None:
    inner = form.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def _by_schema(schema: Mapping[str, Any] | None) -> str:
    if schema is None:
        return _JSON
    return f"Answer with a JSON object that fits this JSON Schema: {json.dumps(schema)}"


def instructed(messages: Sequence[dict[str, Any]], instruction: str | None) -> list[dict[str, Any]]:
    """Add the instruction to the first system message, since some models accept only one."""
    if instruction is None:
        return list(messages)
    first = messages[0] if messages else {}
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        return [{**first, "content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def _says_json(request: LLMRequest) -> bool:
    said = texts([message.get("content") for message in request.messages])
    return any("json" in text.lower() for text in said)
