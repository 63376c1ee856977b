"""OpenAI's side: chat completions and the Responses API, by the path that is asked.

https://developers.openai.com/api/docs/api-reference. The rules by model are `openai_models.py`'s;
`openai_rules.py` has what both APIs share, `openai_responses.py` the one, this file the other.
`future-model-9` is a model that no page tells of: it refuses `temperature`.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

from tests.http_server import Recorded, Reply
from tests.lazy import Lazy
from tests.vendors import chat, openai_responses
from tests.vendors import openai_rules as rules
from tests.vendors.openai_models import Facts, facts
from tests.vendors.openai_rules import Body, Complaint

params = Lazy("openai.types.chat.completion_create_params")
_VENDOR: Final = chat.Vendor(
    path="/v1/chat/completions",
    error=chat.openai_error,
    rules=(),
    top={"service_tier": "default", "system_fingerprint": "fp_7"},
)


@cache
def _known() -> frozenset[str]:
    """The names of the fields that a request may have."""
    return frozenset({*params.CompletionCreateParamsBase.__annotations__, "stream"})


def _files(body: Body) -> str | None:
    """https://developers.openai.com/api/docs/api-reference/chat/create: `file_data` with a
    `filename`, or `file_id`."""
    for message in body["messages"]:
        parts = message.get("content")
        for part in parts if isinstance(parts, list) else ():
            file = part.get("file") or {}
            if not file.keys() <= {"file_data", "file_id", "filename"}:
                return "Unknown parameter: 'messages.content.file.file_url'."
            if "file_data" in file and "." not in file.get("filename", ""):
                return "Missing required parameter: 'messages.content.file.filename'."
    return None


_SHAPE: Final = (
    chat.message_keys(developer={"role", "content", "name"}),
    chat.part_keys(
        text={"text", "prompt_cache_breakpoint"},
        image_url={"image_url"},
        input_audio={"input_audio"},
        file={"file"},
        refusal={"refusal"},
    ),
    chat.images(),
    _files,
    chat.call_ids(r"(?s).{1,40}"),  # "Expected a string with maximum length 40"
    chat.formats("json_object", "json_schema"),
    chat.says_json,
)


def answer(request: Recorded) -> Reply:
    path = request.path.partition("?")[0]
    if not {"authorization", "api-key"} & request.headers.keys():
        return Complaint("You didn't provide an API key.", None, None, 401).reply()
    body = request.json
    if request.method != "POST" or not isinstance(body, dict):
        return Complaint("We could not parse the JSON body of your request.").reply()
    if path == "/v1/responses":
        wrong = openai_responses.complaint(body)
        return openai_responses.answer(body) if wrong is None else wrong.reply()
    if path != "/v1/chat/completions":
        return Complaint(f"Invalid URL (POST {path})", None, None, 404).reply()
    wrong = _complaint(body)
    return chat.answer(_VENDOR, request) if wrong is None else wrong.reply()


def _complaint(body: Body) -> Complaint | None:
    if (wrong := rules.unknown(body, _known())) is not None:
        return wrong
    for rule in (*chat.COMMON, *_SHAPE):
        if (message := rule(body)) is not None:
            return Complaint(message)
    return next(_by_model(body, facts(body["model"])), None)


def _by_model(body: Body, known: Facts) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/guides/reasoning, and the pages of the models."""
    if known.chat == "no":
        message = "This model is only supported in v1/responses and not in v1/chat/completions."
        yield Complaint(message, "model", None, 404)
    asked = body.get("reasoning_effort")
    effort = asked or known.default
    yield from rules.effort(body, asked, "reasoning_effort", _in_chat(known))
    yield from rules.samplers(body, known, effort)
    yield from rules.verbosity(body, body.get("verbosity"), "verbosity", known)
    yield from _limit(body, known)
    refused = ("presence_penalty", "frequency_penalty", "stop", "logit_bias")
    yield from (rules.unsupported(it) for it in refused if known.reasons and it in body)
    if (message := chat.stops(4)(body)) is not None:  # "up to 4 sequences"
        yield Complaint(message, "stop", "array_above_max_length")
    if "parallel_tool_calls" in body and not known.parallel:
        yield rules.unsupported("parallel_tool_calls")
    if known.chat == "no tools while it reasons" and body.get("tools") and effort != "none":
        message = (
            f"Function tools with reasoning_effort are not supported for {body['model']} in"
            " /v1/chat/completions. To use function tools, use /v1/responses or set"
            " reasoning_effort to 'none'."
        )
        yield Complaint(message, "reasoning_effort")
    yield from rules.account(body)
    wanted = (body.get("response_format") or {}).get("json_schema")
    if wanted is not None:
        yield from rules.schema(wanted, "response_format")
    for _, part in chat.parts(body):
        if part.get("type") == "input_audio" and not known.audio and not known.optional_only:
            yield Complaint("This model does not support audio inputs.", "messages")


def _in_chat(known: Facts) -> Facts:
    """`max` is the Responses API's alone."""
    efforts = tuple(it for it in known.efforts if it != "max")
    return Facts(efforts=efforts, optional_only=known.optional_only)


def _limit(body: Body, known: Facts) -> Iterator[Complaint]:
    """https://developers.openai.com/api/docs/api-reference/chat/create: `max_tokens` is deprecated,
    and not compatible with reasoning models."""
    if "max_tokens" in body and known.reasons:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model."
            " Use 'max_completion_tokens' instead."
        )
        yield Complaint(message, "max_tokens", "unsupported_parameter")
    for name in ("max_tokens", "max_completion_tokens"):
        yield from rules.limit(body.get(name), name, known, 1)
