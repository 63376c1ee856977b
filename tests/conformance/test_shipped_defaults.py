"""The shipped defaults answer with any one vendor's key: against servers that play the vendors' own
documented rules (`tests/vendors/`), whatever of the contract a request asks for.

Nothing of the configuration is changed but where the vendor is reached.
"""

import importlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from nexus_actors.contract.request import ReasoningEffort
from nexus_actors.providers.apis.chat.presets import PRESETS as PRESET_SETTINGS
from nexus_actors.providers.http.settings import HttpSettings
from nexus_actors.providers.takes import EFFORTS
from nexus_actors.settings import Settings, defaults, parse_settings
from tests.http_server import Recorded, ScriptedServer, scripted_server
from tests.service import Service, running_service

FILE: Final = Path(__file__).parents[2] / "config" / "nexus.toml"
KEYS: Final = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "groq": "GROQ_API_KEY",
}
KEY: Final = "sk-test-0123456789"
EXAMPLE: Final = {
    "agent_id": "self-improving-agent",
    "complexity": "complex",
    "task_type": "architect",
    "messages": [{"role": "user", "content": "Design a feature"}],
    "model": "auto",
    "provider": "auto",
    "api_version": "responses",
    "max_tokens": 4000,
    "temperature": 0.7,
    "timestamp": "2025-10-25T22:00:00Z",
}
"""The contract's own."""
PARAMETERS: Final = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": "integer"}},
    "required": ["city"],
}
TOOL: Final = {
    "type": "function",
    "function": {"name": "weather", "description": "Forecast.", "parameters": PARAMETERS},
}
CALL: Final = {
    "id": "call_0123456789",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}
NAMED: Final = {"type": "function", "function": {"name": "weather"}}
SCHEMA: Final = {
    "type": "json_schema",
    "json_schema": {
        "name": "plan",
        "schema": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "minLength": 1, "maxLength": 80},
                "days": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            },
            "required": ["city"],
        },
    },
}
VARIANTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {},
    "sampling": {"temperature": 0.7, "max_tokens": 4000},
    "both samplers": {"temperature": 0.2, "top_p": 0.9},
    "tools": {"tools": [TOOL]},
    "a forced tool": {"tools": [TOOL], "tool_choice": "required"},
    "a named tool": {"tools": [TOOL], "tool_choice": NAMED, "parallel_tool_calls": False},
    "stop": {"stop": ["END"]},
    "a blank stop": {"stop": ["\n"]},
    "a schema": {"response_format": SCHEMA},
    "second step": {
        "tools": [TOOL],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Oslo?"},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": CALL["id"], "content": "rain"},
        ],
    },
    **{f"effort {effort}": {"reasoning_effort": effort} for effort in EFFORTS},
}
PLACES: Final = {
    "temperature": ("temperature",),
    "top_p": ("top_p", "topP"),
    "max_tokens": ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens"),
    "tools": ("tools",),
    "tool_choice": ("tool_choice", "toolConfig"),
    "stop": ("stop", "stop_sequences", "stopSequences"),
    "response_format": ("response_format", "format", "responseJsonSchema", "responseSchema"),
    "reasoning_effort": ("effort", "reasoning_effort", "thinkingLevel", "thinking"),
    "parallel_tool_calls": ("parallel_tool_calls", "disable_parallel_tool_use"),
}
"""A field → where the vendors' APIs have it."""
SAYS: Final = {
    "required": ("required", "any"),
    "medium": ("medium", "default"),
    "none": ("none", "disabled", "between_tools", "0"),
}
"""A value → other words for it."""


def shipped(source: str, vendor: str, server: str, url: str, data_dir: Path) -> Settings:
    """The defaults, with one vendor's key, reached at `server`."""
    mapping = tomllib.loads(FILE.read_text(encoding="utf-8")) if source == "file" else {}
    places = {"service": {"data_dir": str(data_dir)}, "database": {"url": url}}
    for name, place in places.items():
        mapping[name] = {**mapping.get(name, {}), **place}
    environ = {KEYS[vendor]: KEY}
    usual = parse_settings({}, environ)
    assert isinstance(usual, Settings)
    http = usual.providers[vendor].settings
    assert isinstance(http, HttpSettings)
    providers = mapping.setdefault("providers", {})
    base_url = f"{server}{urlsplit(http.base_url).path}"
    providers[vendor] = {**providers.get(vendor, {}), "base_url": base_url}
    settings = parse_settings(mapping, environ)
    assert isinstance(settings, Settings), str(settings)
    assert list(settings.providers) == [vendor]
    return settings


def requests(
    variants: Mapping[str, Mapping[str, Any]], routes: Sequence[Mapping[str, Any]] = defaults.ROUTES
) -> Iterator[dict[str, Any]]:
    """One of every route, variant and API, each with a text of its own; every variant and API both
    streamed, at one half of the routes, and whole, at the other."""
    for index, route in enumerate(routes):
        task = {} if route["task_type"] == "*" else {"task_type": route["task_type"]}
        for place, (name, fields) in enumerate(variants.items()):
            for version in ("responses", "chat_completions"):
                stream = (index + place + len(version)) % 2 == 0
                mark = f"route {index}, {name}, {version}, {'streamed' if stream else 'whole'}"
                message = {"role": "user", "content": f"<{mark}>"}
                yield {
                    "request_id": mark,
                    "complexity": route["complexity"],
                    "messages": [message],
                    "api_version": version,
                    "stream": stream,
                    **task,
                    **_marked(fields, mark),
                }


def _marked(fields: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """The mark, by which a call is known again, in the conversation's first user message."""
    messages = [
        {**message, "content": f"<{mark}>"} if message["role"] == "user" else message
        for message in fields.get("messages", [])
    ]
    return {**fields, **({"messages": messages} if messages else {})}


async def answers(service: Service, asked: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The results, by request; every one of them an answer by one call."""
    await service.sql.send_many(asked)
    await service.stored(len(asked))
    results = {result["request_id"]: result for result in await service.sql.results()}
    failed = {name: it["error"] for name, it in results.items() if it["status"] != "ok"}
    assert failed == {}
    repeated = {name: it["dropped"] for name, it in results.items() if it["attempts"] != 1}
    assert repeated == {}
    return results


def called(server: ScriptedServer) -> dict[str, Recorded]:
    """The calls that were made, by request."""
    calls = {}
    for call in server.requests:
        text = call.body.decode()
        calls[text[text.index("<") + 1 : text.index(">")]] = call
    return calls


def omitted_silently(asked: Mapping[str, Any], body: Any, dropped: list[str]) -> list[str]:
    """Fields that are neither in the call as they were asked for, nor told."""
    told = {entry.partition(":")[0].partition("[")[0].partition(".")[0] for entry in dropped}
    return [
        name
        for name, places in PLACES.items()
        if name in asked and name not in told and not _is_said(asked[name], _at(body, places))
    ]


def omitted_silently_by_request(
    asked: list[dict[str, Any]],
    calls: Mapping[str, Recorded],
    results: Mapping[str, Mapping[str, Any]],
) -> dict[str, list[str]]:
    """By request, what was neither sent nor told."""
    lost = {
        (name := request["request_id"]): omitted_silently(
            request, calls[name].json, results[name]["dropped"]
        )
        for request in asked
    }
    return {name: fields for name, fields in lost.items() if fields}


def _at(value: Any, places: tuple[str, ...]) -> Iterator[Any]:
    """Whatever stands under one of these names, however deep."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in places:
                yield inner
            yield from _at(inner, places)
    elif isinstance(value, list):
        for inner in value:
            yield from _at(inner, places)


def _is_said(wanted: Any, found: Iterator[Any]) -> bool:
    """Whether what was found says what was wanted; of an object, that there is anything."""
    texts = [json.dumps(it).lower() for it in found]
    match wanted:
        case str():
            words = SAYS.get(wanted, (wanted,))
        case {"function": {"name": str(name)}}:
            words = (name,)
        case [str() as one, *_]:
            words = (json.dumps(one).strip('"').lower(),)
        case bool():
            return bool(texts)
        case int() | float():
            words = (json.dumps(wanted),)
        case _:
            return bool(texts)
    return any(word in text for word in words for text in texts)


@pytest.mark.parametrize("vendor", KEYS)
async def test_any_one_vendors_key_answers_whatever_is_asked(
    vendor: str, database_url: str, tmp_path: Path
) -> None:
    rules = importlib.import_module(f"tests.vendors.{vendor}")
    async with scripted_server({"*": rules.answer}) as server:
        settings = shipped("built-in", vendor, server.url, database_url, tmp_path)
        asked = list(requests(VARIANTS))
        async with running_service(database_url, tmp_path, settings=settings) as service:
            results = await answers(service, asked)
    assert omitted_silently_by_request(asked, called(server), results) == {}


@pytest.mark.parametrize("source", ["built-in", "file"])
@pytest.mark.parametrize("vendor", KEYS)
async def test_any_one_vendors_key_answers_the_contracts_own_example(
    vendor: str, source: str, database_url: str, tmp_path: Path
) -> None:
    rules = importlib.import_module(f"tests.vendors.{vendor}")
    async with scripted_server({"*": rules.answer}) as server:
        settings = shipped(source, vendor, server.url, database_url, tmp_path)
        asked = [{"request_id": "example", **EXAMPLE}, *requests({"plain": {}})]
        async with running_service(database_url, tmp_path, settings=settings) as service:
            results = await answers(service, asked)
    result = results["example"]
    assert result["response"]
    assert result["provider"] == vendor
    assert result["usage"]["total_tokens"] > 0
    assert result["cost"] is not None
    body = next(call.json for call in server.requests if b"Design a feature" in call.body)
    assert omitted_silently(EXAMPLE, body, result["dropped"]) == []
    for name, plain in results.items():
        assert name == "example" or plain["dropped"] == [], name


PRESETS: Final = (
    ("mistral", "mistral-large-latest"),
    ("mistral", "mistral-small-latest"),
    ("mistral", "magistral-medium-latest"),
    ("deepseek", "deepseek-chat"),
    ("deepseek", "deepseek-v4-pro"),
    ("xai", "grok-4.3"),
    ("xai", "grok-3"),
    ("openrouter", "anthropic/claude-opus-5.5"),
    ("openrouter", "openai/gpt-6.1-terra"),
    ("openrouter", "qwen/qwen3-32b"),
    ("together", "openai/gpt-oss-120b"),
    ("ollama", "llama3.2"),
    ("llama_cpp", "any"),
    ("groq", "qwen/qwen3-32b"),
    ("groq", "llama-3.3-70b-versatile"),
)


@pytest.mark.parametrize(("preset", "model"), PRESETS)
async def test_any_preset_answers_whatever_is_asked(
    preset: str, model: str, database_url: str, tmp_path: Path
) -> None:
    rules = importlib.import_module(f"tests.vendors.{preset}")
    async with scripted_server({"*": rules.answer}) as server:
        path = urlsplit(PRESET_SETTINGS[preset].base_url or "").path
        provider = {
            "kind": "openai_compatible",
            "preset": preset,
            "base_url": f"{server.url}{path}",
            "api_key_env": "KEY",
        }
        mapping = {
            "service": {"data_dir": str(tmp_path)},
            "database": {"url": database_url},
            "providers": {"p": provider},
            "routes": [{"models": [f"p/{model}"]}],
        }
        settings = parse_settings(mapping, {"KEY": KEY})
        assert isinstance(settings, Settings), str(settings)
        asked = list(requests(VARIANTS, [{"complexity": "simple", "task_type": "*"}]))
        async with running_service(database_url, tmp_path, settings=settings) as service:
            results = await answers(service, asked)
    assert omitted_silently_by_request(asked, called(server), results) == {}


def test_every_effort_is_asked_for() -> None:
    assert set(EFFORTS) == set(ReasoningEffort.__args__)  # type: ignore[attr-defined]
