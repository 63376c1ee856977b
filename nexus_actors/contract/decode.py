"""Decodes the text of one message to a request, or to the reason why it can never be one.

Faults are looked for in this order, and the first one found is reported:

1. `invalid_request`: not a JSON object, nested too deep, a number out of range, too many values.
2. `missing_fields`: those of `request_id`, `complexity`, `messages` that are absent or null, all in
   one error. `complexity` may be absent if `task_type` is known. If only the conversation is
   missing, the error is `missing_input`: the contract has both names.
3. `invalid_complexity`, even if the task type is known: the service does not guess what was meant.
4. `empty_messages`, then `missing_input` for an empty `input`.
5. `unsupported_api_version`; `invalid_request` for more parts or tools than `[requests]` allows.
6. `invalid_request` for a field of another API that would change the question if it were ignored,
   then for every other field, in the contract's order, the conversation last.

A valid `complexity` is kept as sent; a known `task_type` decides only if it is absent. If both
`messages` and `input` are given, `messages` counts unless it is empty, and `input` is listed in
`unknown`, like every field that no API has a place for.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError

from nexus_actors.contract.bounds import DEFAULTS, Bounds, beyond, too_many
from nexus_actors.contract.errors import ErrorType, Refusal
from nexus_actors.contract.excerpt import excerpt, kind_of, shown
from nexus_actors.contract.fast_decode import choice, decode_fast
from nexus_actors.contract.foreign import bounded, fields_outside, refused_field, unknown_fields
from nexus_actors.contract.instructions import Instructed, instructed, read_system
from nexus_actors.contract.json_text import (
    Parsed,
    Unparsable,
    clean_text,
    format_path,
    parse_counted,
    values_within,
)
from nexus_actors.contract.messages import Spoken, read_input, read_messages
from nexus_actors.contract.request import Complexity, LLMRequest
from nexus_actors.contract.spellings import Spelt, one_spelling
from nexus_actors.contract.tasks import (
    COMPLEXITIES,
    TASK_COMPLEXITY,
    known_complexity,
    normalize_capabilities,
    normalize_task_type,
)
from nexus_actors.contract.trace import parse_traceparent
from nexus_actors.contract.unknown_keys import in_items, in_messages, in_system
from nexus_actors.contract.wire import MAX_ID_LENGTH, WireRequest
from nexus_actors.contract.wording import expected, with_path
from nexus_actors.contract.wrong import Wrong

API_VERSIONS: Final = ("responses", "chat_completions")


def decode_request(body: str | None, bounds: Bounds = DEFAULTS) -> LLMRequest | Refusal:
    """Decode one message, a jsonb as text (None: SQL NULL). Never raises.

    Takes time linear in the text. A request that exceeds `bounds` is refused early.

    Both the bare form and `{"request": {…}}` are accepted. Paths in a refusal are those of the bare
    form.
    """
    if body is None:
        message = "expected a JSON object, found no message"
        return _refuse({}, ErrorType.INVALID_REQUEST, message, shape="no message")
    found = _too_many_values(body, bounds)
    if found is None and (usual := decode_fast(body, bounds)) is not None:
        return usual
    match found or parse_counted(body):
        case Parsed(value):
            pass
        case unparsable:
            fields = _fields(unparsable.value) or {}
            message = unparsable.reason
            if unparsable.word:
                message = f"expected a number, found {unparsable.word}, which JSON does not have"
            return _refuse(
                fields,
                ErrorType.INVALID_REQUEST,
                message,
                path=unparsable.path,
                shape=None if fields else f"a text of {len(body)} characters",
            )
    request = _fields(value)
    if request is None:
        message = f"expected a JSON object, found {kind_of(value)}"
        return _refuse({}, ErrorType.INVALID_REQUEST, message, shape=kind_of(value))
    return _decode_fields(request, fields_outside(value) if _is_wrapped(value) else [], bounds)


def _too_many_values(body: str, bounds: Bounds) -> Unparsable | None:
    if len(body) < bounds.max_values:  # a text has no more values than characters
        return None
    count = values_within(body, bounds.max_values)
    if count <= bounds.max_values:
        return None
    expected = beyond("max_values", bounds.max_values, "values of JSON")
    return Unparsable(f"expected {expected}, found {count:,} or more")


def _fields(value: Any) -> dict[str, Any] | None:
    """The request's fields, unwrapped and without nulls. None if the value is not an object."""
    if not isinstance(value, dict):
        return None
    holder = holder_of(value)
    fields = {key: item for key, item in holder.items() if item is not None}
    if holder is not value and (trace := value.get("traceparent")) is not None:
        fields.setdefault("traceparent", trace)  # it may be outside the wrapper, too
    return fields


def holder_of(value: dict[str, Any]) -> dict[str, Any]:
    """The object with the request's fields: the message, or the object wrapped in it."""
    request: dict[str, Any] = value["request"] if _is_wrapped(value) else value
    return request


def _is_wrapped(value: dict[str, Any]) -> bool:
    # Exactly as `lease` reads the id in SQL: the outer one counts if it is text.
    return isinstance(value.get("request"), dict) and not isinstance(value.get("request_id"), str)


def _decode_fields(
    fields: dict[str, Any], outside: list[str], bounds: Bounds
) -> LLMRequest | Refusal:
    task_type = fields.get("task_type")
    from_task = known_complexity(task_type) if isinstance(task_type, str) else None
    refusal = _find_missing(fields, from_task) or _find_named_fault(fields)
    if refusal is not None:
        return refusal
    wrong = too_many(fields, bounds) or refused_field(fields)
    if wrong is not None:
        return _refuse_wrong(fields, wrong)
    try:
        wire = WireRequest.model_validate(fields)
    except ValidationError as error:
        return _refuse_invalid(fields, error)
    spelt = one_spelling(wire)
    if isinstance(spelt, Wrong):
        return _refuse_wrong(fields, spelt)
    spoken = _read_conversation(fields)
    if isinstance(spoken, Wrong):
        return _refuse_wrong(fields, spoken)
    system = read_system(fields.get("system", ""))
    if isinstance(system, Wrong):
        return _refuse_wrong(fields, system)
    said = instructed(spoken, wire.instructions or "", system)
    complexity = cast("Complexity", fields.get("complexity", from_task))
    unknown = [*outside, *unknown_fields(fields), *spelt.unknown, *said.lost, *in_system(system)]
    if spoken.input is None:  # an `input` is sent unchanged to its own API
        uses_input = _uses_input(fields) and isinstance(fields["input"], list)
        unknown += in_items(fields["input"]) if uses_input else in_messages(spoken.messages)
    notes = [*spelt.notes]
    if "input" in fields and not _uses_input(fields):
        notes.append("input: messages counts")
    trace = fields.get("traceparent")
    if trace is not None and parse_traceparent(trace) is None:
        notes.append("traceparent: expected a W3C traceparent of version 00")
        trace = None
    return _build(wire, complexity, spelt, said, (*notes, *bounded(unknown)), trace)


def _uses_input(fields: dict[str, Any]) -> bool:
    """Whether `input` is the conversation: `messages` is absent or empty."""
    return "input" in fields and fields.get("messages", []) == []


def _read_conversation(fields: dict[str, Any]) -> Spoken | Wrong:
    if _uses_input(fields):
        return read_input(fields["input"])
    messages = read_messages(fields["messages"])
    return messages if isinstance(messages, Wrong) else Spoken(messages)


def _find_missing(fields: dict[str, Any], from_task: Complexity | None) -> Refusal | None:
    missing = [] if "request_id" in fields else ["request_id"]
    if "complexity" not in fields and from_task is None:
        missing.append("complexity")
    no_conversation = "messages" not in fields and "input" not in fields
    if not missing:
        if not no_conversation:
            return None
        message = "expected messages, or input"
        return _refuse(fields, ErrorType.MISSING_INPUT, message, fields=("messages",))
    if no_conversation:
        missing.append("messages")
    # Whoever gave a task type meant it to imply the complexity.
    given = fields.get("task_type")
    unknown = f" (task_type {shown(given)} is none of {', '.join(TASK_COMPLEXITY)})"
    names = [name + unknown * (name == "complexity" and given is not None) for name in missing]
    message = f"missing: {', '.join(names)}"
    return _refuse(fields, ErrorType.MISSING_FIELDS, message, fields=tuple(missing))


def _find_named_fault(fields: dict[str, Any]) -> Refusal | None:
    """Find a fault that has its own name in the contract."""
    complexity = fields.get("complexity", "simple")
    if not isinstance(complexity, str) or complexity not in COMPLEXITIES:
        message = f"expected simple, medium or complex, found {shown(complexity)}"
        return _refuse(fields, ErrorType.INVALID_COMPLEXITY, message, path="complexity")
    if fields.get("messages") == [] and "input" not in fields:
        message = "expected at least one message"
        return _refuse(fields, ErrorType.EMPTY_MESSAGES, message, path="messages")
    if _uses_input(fields) and fields["input"] in ("", []):
        message = "expected text or at least one item"
        return _refuse(fields, ErrorType.MISSING_INPUT, message, path="input")
    version = fields.get("api_version", "responses")
    if not isinstance(version, str) or version not in API_VERSIONS:
        message = f"expected {' or '.join(API_VERSIONS)}, found {shown(version)}"
        return _refuse(fields, ErrorType.UNSUPPORTED_API_VERSION, message, path="api_version")
    return None


def _build(
    wire: WireRequest,
    complexity: Complexity,
    spelt: Spelt,
    said: Instructed,
    unknown: tuple[str, ...],
    trace: str | None,
) -> LLMRequest:
    return LLMRequest(
        request_id=wire.request_id,
        complexity=complexity,
        messages=said.spoken.messages,
        input=said.spoken.input,
        instructions=said.beside_input,
        agent_id=wire.agent_id,
        task_type=normalize_task_type(wire.task_type or "") or None,
        model=choice(wire.model),
        provider=choice(wire.provider),
        api_version=wire.api_version,
        temperature=wire.temperature,
        stream=wire.stream,
        capabilities=normalize_capabilities(wire.capabilities or ()),
        previous_response_id=wire.previous_response_id,
        mcp_servers=tuple(
            server.model_dump(exclude_none=True) for server in wire.mcp_servers or ()
        ),
        store=wire.store,
        top_p=wire.top_p,
        top_k=wire.top_k,
        presence_penalty=wire.presence_penalty,
        frequency_penalty=wire.frequency_penalty,
        seed=wire.seed,
        thinking=_plain(wire.thinking),
        include=tuple(wire.include or ()),
        cache_control=_plain(wire.cache_control),
        prompt_cache_key=wire.prompt_cache_key,
        service_tier=wire.service_tier,
        metadata=wire.metadata or None,
        unknown=unknown,
        timeout=None if wire.timeout is None else wire.timeout / 1000,
        traceparent=trace,
        **spelt.fields,
    )


def _plain(model: BaseModel | None) -> Mapping[str, Any] | None:
    return None if model is None else model.model_dump(exclude_none=True)


def _refuse_wrong(fields: dict[str, Any], wrong: Wrong) -> Refusal:
    message = f"expected {wrong.expected}"
    if wrong.count is not None:
        message += f", found {wrong.count:,}"
    elif wrong.found is not None:
        message += f", found {kind_of(wrong.found)}"
    return _refuse(fields, ErrorType.INVALID_REQUEST, message, path=format_path(wrong.path))


def _refuse_invalid(fields: dict[str, Any], error: ValidationError) -> Refusal:
    first = error.errors(include_url=False)[0]
    found = "nothing" if first["type"] == "missing" else kind_of(first["input"])
    message = f"expected {expected(first)}, found {found}"
    return _refuse(fields, ErrorType.INVALID_REQUEST, message, path=format_path(first["loc"]))


def _refuse(
    known: dict[str, Any],
    error_type: ErrorType,
    message: str,
    *,
    path: str | None = None,
    fields: tuple[str, ...] = (),
    shape: str | None = None,
) -> Refusal:
    message = with_path(path, message)
    request_id = known.get("request_id")
    readable = (
        isinstance(request_id, str)
        and 0 < len(request_id) <= MAX_ID_LENGTH
        and clean_text(request_id) == request_id
    )
    agent_id, task_type = known.get("agent_id"), known.get("task_type")
    complexity, trace = known.get("complexity"), known.get("traceparent")
    return Refusal(
        type=error_type,
        message=message if len(message) <= 500 else message[:499] + "…",
        path=path,
        fields=fields,
        request_id=request_id if readable else None,
        agent_id=clean_text(agent_id) if isinstance(agent_id, str) else None,
        complexity=complexity
        if isinstance(complexity, str) and complexity in COMPLEXITIES
        else None,
        task_type=normalize_task_type(clean_text(task_type)) or None
        if isinstance(task_type, str)
        else None,
        traceparent=None if parse_traceparent(trace) is None else trace,
        excerpt=clean_text(excerpt(known) if shape is None else shape),
    )
