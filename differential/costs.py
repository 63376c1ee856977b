"""What the same usage costs by ours, by LiteLLM's table and by genai-prices."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from differential import (
    answers_chat,
    answers_gemini,
    answers_messages,
    answers_responses,
    ours,
    theirs,
)
from differential.findings import Finding
from differential.models import Api, Model, claude, gemini, openai, preset
from differential.normal import ABSENT, Difference
from differential.server import Bench
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.result import Answer
from tests.http_server import Reply

_ASKED: Final = {"messages": [{"role": "user", "content": "How is the weather in Oslo?"}]}
_PRICED: Final = (
    *(claude(it) for it in ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-6")),
    *(claude(it) for it in ("claude-sonnet-5-5", "claude-opus-5-5")),
    *(openai(it, "chat") for it in ("gpt-4o", "gpt-5.2", "o4-mini")),
    *(openai(it, "responses") for it in ("gpt-4.1", "gpt-5.5", "gpt-6.1-sol", "gpt-6.1-terra")),
    *(gemini(it) for it in ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.8-flash")),
    *(preset("groq", it) for it in ("openai/gpt-oss-120b", "openai/gpt-oss-20b")),
    preset("mistral", "mistral-large-latest"),
    preset("mistral", "mistral-medium-latest"),
    preset("deepseek", "deepseek-v4-pro"),
    preset("xai", "grok-4.7"),
)
_GENAI: Final = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "gemini": "google",
    "xai": "x-ai",
}
"""genai-prices' name of a provider, where it is another than ours."""
_ROUNDING: Final = 1e-6
"""Of the cost: prices per token and per million round differently."""


def _messages(**usage: Any) -> dict[str, Any]:
    text = {"type": "text", "text": "Rain."}
    told = {**answers_messages.USAGE, "input_tokens": 1000, "output_tokens": 500, **usage}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [text],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": told,
    }


def _written(five_minutes: int, hour: int) -> dict[str, Any]:
    kept = {"ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": hour}
    return _messages(cache_creation_input_tokens=five_minutes + hour, cache_creation=kept)


def _chat(prompt: int = 1000, completion: int = 500, tier: str | None = None, **more: Any) -> Any:
    body: dict[str, Any] = {**answers_chat.ANSWERS["text"].body}
    total = {"total_tokens": prompt + completion}
    body["usage"] = {"prompt_tokens": prompt, "completion_tokens": completion, **total, **more}
    return body if tier is None else {**body, "service_tier": tier}


def _response(given: int = 1000, cached: int = 0, thought: int = 0, tier: str = "default") -> Any:
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": 500,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": given + 500,
    }
    return {**answers_responses.ANSWERS["text"].body, "usage": usage, "service_tier": tier}


def _contents(prompt: int = 1000, **more: Any) -> dict[str, Any]:
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": 500}
    total = {"totalTokenCount": prompt + 500 + more.get("thoughtsTokenCount", 0)}
    return {**answers_gemini.ANSWERS["text"].body, "usageMetadata": {**counts, **total, **more}}


_CACHED: Final = {"prompt_tokens_details": {"cached_tokens": 400}}
_THOUGHT: Final = {"completion_tokens_details": {"reasoning_tokens": 300}}
_COMPATIBLE: Final = {"usual": _chat(), "cached": _chat(**_CACHED), "thought": _chat(**_THOUGHT)}
_SHAPES: Final[Mapping[Api, Mapping[str, Any]]] = {
    "messages": {
        "usual": _messages(),
        "cache read": _messages(cache_read_input_tokens=400),
        "cache written": _written(400, 0),
        "cache written for an hour": _written(0, 400),
        "cache written for both": _written(300, 100),
        "searched twice": _messages(server_tool_use={"web_search_requests": 2}),
        "long": _messages(input_tokens=300_000),
    },
    "chat": {
        **_COMPATIBLE,
        "flex": _chat(tier="flex"),
        "priority": _chat(tier="priority"),
    },
    "responses": {
        "usual": _response(),
        "cached": _response(cached=400),
        "thought": _response(thought=300),
        "flex": _response(tier="flex"),
        "priority": _response(tier="priority"),
        "long": _response(given=300_000),
    },
    "generate_content": {
        "usual": _contents(),
        "cached": _contents(cachedContentTokenCount=400),
        "thought": _contents(thoughtsTokenCount=300),
        "long": _contents(prompt=300_000),
    },
}


def _shapes(model: Model) -> Mapping[str, Any]:
    if model.vendor == "deepseek":
        hits = {"prompt_cache_hit_tokens": 400, "prompt_cache_miss_tokens": 600}
        return {"usual": _chat(), "cached": _chat(**hits), "thought": _chat(**_THOUGHT)}
    if model.vendor == "xai":  # thoughts are counted beside the answer
        thought = {**_THOUGHT, "total_tokens": 1800}
        return {**_COMPATIBLE, "thought": _chat(**thought)}
    if model.vendor == "groq":  # it always says so
        return {name: {**it, "service_tier": "on_demand"} for name, it in _COMPATIBLE.items()}
    return _COMPATIBLE if model.kind == "openai_compatible" else _SHAPES[model.api]


async def compare(bench: Bench) -> AsyncIterator[Finding]:
    """Each model and shape."""
    for model in _PRICED:
        async with ours.session(model, bench.url) as opened:
            for name, shape in _shapes(model).items():
                served = "modelVersion" if model.api == "generate_content" else "model"
                body = {**shape, served: model.name}
                bench.expect(Reply(body=body))
                asked = ours.request(model, _ASKED)
                assert not isinstance(asked, Refusal)
                outcome = await ours.complete(opened, model, asked, stream=False)
                mine = outcome.cost if isinstance(outcome, Answer) else None
                bench.expect(Reply(body=body))
                costs = {
                    "litellm": await bench.call(lambda m=model: theirs.cost(m, bench.url)),
                    "genai-prices": _listed(model, body),
                }
                for against, cost in costs.items():
                    found = _compared(mine, cost)
                    yield Finding("costs", model.vendor, model.key, name, against, found)


def _listed(model: Model, body: Mapping[str, Any]) -> float | None:
    import genai_prices

    provider = _GENAI.get(model.vendor, model.vendor)
    for flavor in (model.api, "default"):
        try:
            used = genai_prices.extract_usage(body, provider_id=provider, api_flavor=flavor)
        except ValueError:
            continue
        return float(used.calc_price().total_price)
    return None


def _compared(mine: float | None, other: float | None) -> tuple[Difference, ...]:
    if mine is not None and other is not None and abs(mine - other) <= _ROUNDING * max(mine, other):
        return ()
    if mine is None and other is None:
        return ()
    shown = (ABSENT if it is None else round(it, 9) for it in (mine, other))
    return (Difference("cost", *shown),)
