"""An answer of the chat completions API, read leniently: what is not needed may be absent.

Source: https://platform.openai.com/docs/api-reference/chat/object

- No `usage`: the tokens count as 0 and the cost as unknown. A total that is absent is the sum.
- `content` may be text, a list of parts, or null; with neither text nor tool calls the answer is
  "", and `finish_reason` (`length`, `content_filter`) tells why. A `refusal` counts as the text.
- The answer's content-type is not looked at: servers get it wrong; a body that parses is one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.failures import failed_inside, read_complaint
from nexus_actors.providers.port import Outcome, ProviderFailure
from nexus_actors.providers.pricing import Tokens

MOST_TOKENS = 2**31 - 1
"""Counts beyond are nonsense, and would not fit the database's column."""

PriceOf = Callable[[str, Tokens], float | None]
"""US dollars for tokens of a model; None where unknown."""


def read_answer(body: bytes, *, provider: str, model: str, price_of: PriceOf) -> Outcome:
    """The answer in `body`, a 200's; a failure where it is none."""
    try:
        parsed = parse(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return invalid("not UTF-8")
    if not isinstance(parsed, Parsed):
        return invalid(parsed.reason)
    value = parsed.value
    if not isinstance(value, Mapping):
        return invalid("expected a JSON object")
    choice = _first_choice(value)
    # An error counts before the answer it came with: that one was broken off.
    error = value.get("error") or (choice or {}).get("error")
    if error:
        return failed_inside(read_complaint(error))
    if choice is None or not isinstance(choice.get("message"), Mapping):
        return invalid("no choices[0].message")
    usage, cached = _usage(value.get("usage"))
    tokens = Tokens(usage.prompt_tokens, usage.completion_tokens, cached)
    served = _text(value.get("model"))
    return Answer(
        response=_response(choice["message"]),
        provider=provider,
        model=model,
        usage=usage,
        cost=_cost(price_of, served, model, tokens),
        finish_reason=_text(choice.get("finish_reason")),
        response_id=_text(value.get("id")),
        tool_calls=_tool_calls(choice["message"]),
    )


def invalid(why: str) -> ProviderFailure:
    """An answer that cannot be understood: worth another try, and maybe paid for."""
    return ProviderFailure(
        type=ErrorType.INVALID_RESPONSE,
        message=f"the answer cannot be understood: {why}",
        retryable=True,
        status_code=200,
        maybe_paid=True,
    )


def _first_choice(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else None


def _response(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        content = "".join(part for part in parts if isinstance(part, str))
    if isinstance(content, str) and content:
        return content
    if _tool_calls(message):
        return None
    return _text(message.get("refusal")) or ""


def _tool_calls(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    calls = message.get("tool_calls")
    return tuple(c for c in calls if isinstance(c, Mapping)) if isinstance(calls, list) else ()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _usage(value: Any) -> tuple[Usage, int]:
    """The tokens, and how many of the prompt's were cached."""
    counts = value if isinstance(value, Mapping) else {}
    prompt, completion = _count(counts, "prompt_tokens"), _count(counts, "completion_tokens")
    total = _count(counts, "total_tokens") or min(prompt + completion, MOST_TOKENS)
    details = counts.get("prompt_tokens_details")
    cached = _count(details, "cached_tokens") if isinstance(details, Mapping) else 0
    return Usage(prompt, completion, total), cached


def _count(counts: Mapping[str, Any], name: str) -> int:
    match counts.get(name):
        case bool():
            return 0
        case int() | float() as number if 0 <= number <= MOST_TOKENS:
            return int(number)
        case _:
            return 0


def _cost(price_of: PriceOf, served: str | None, asked: str, tokens: Tokens) -> float | None:
    """By the model that answered, which a gateway may have chosen; else by the one asked for."""
    if not tokens.input and not tokens.output:
        return None  # nothing was counted, which is not to say that it was free
    by_served = price_of(served, tokens) if served else None
    return price_of(asked, tokens) if by_served is None else by_served
