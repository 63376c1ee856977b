"""Finds what an API's writer cannot express and would omit silently. Yields its paths for
`dropped`. Keys that no API can express are reported by `contract/unknown_keys.py`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nexus_actors.contract.foreign import bounded
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.unknown_keys import in_items

_OF_TOOL: Final = ("type", "function", "cache_control")
_OF_FUNCTION: Final = ("name", "description", "parameters", "strict", "cache_control")


def omitted_in_chat(request: LLMRequest) -> Iterator[str]:
    """For chat completions."""
    yield from _documents(request)
    yield from _items(request)


def omitted_in_responses(request: LLMRequest) -> Iterator[str]:
    """For the Responses API, if `messages` are sent and not `input`."""
    yield from _documents(request)
    yield from _extras(request)
    for path, call in _calls(request):
        if call.get("cache_control") is not None:
            yield f"{path}.cache_control"


def omitted_in_messages(request: LLMRequest) -> Iterator[str]:
    """For Anthropic's API."""
    yield from _extras(request)
    yield from _items(request)
    yield from _functions(request)


def omitted_in_generate_content(request: LLMRequest) -> Iterator[str]:
    """For Gemini's API, which accepts Google's signatures in calls."""
    yield from _documents(request)
    yield from _extras(request, signed=True)
    yield from _items(request)
    yield from _functions(request)


def _documents(request: LLMRequest) -> Iterator[str]:
    """Additional fields of Anthropic's documents: their context, and whether to cite them."""
    for index, message in enumerate(request.messages):
        content = message.get("content")
        for place, part in enumerate(content if isinstance(content, list | tuple) else ()):
            if isinstance(part, Mapping) and part.get("type") == "document":
                if part.get("context"):
                    yield f"messages[{index}].content[{place}].context"
                if isinstance(cited := part.get("citations"), Mapping) and cited.get("enabled"):
                    yield f"messages[{index}].content[{place}].citations"


def _extras(request: LLMRequest, *, signed: bool = False) -> Iterator[str]:
    """`extra_content`, where chat completions have Google's signatures. `signed`: signatures of
    calls are sent."""
    for index, message in enumerate(request.messages):
        if message.get("extra_content"):
            yield f"messages[{index}].extra_content"
    for path, call in _calls(request):
        match call.get("extra_content"):
            case {"google": {"thought_signature": str()}} if signed:
                pass
            case extra if extra:
                yield f"{path}.extra_content"


def _calls(request: LLMRequest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, message in enumerate(request.messages):
        calls = message.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list | tuple) else ()):
            if isinstance(call, Mapping):
                yield f"messages[{index}].tool_calls[{place}]", call


def _items(request: LLMRequest) -> tuple[str, ...]:
    """Keys of items of `input`. Only the Responses API gets the items unchanged."""
    if request.input is None or isinstance(request.input, str):
        return ()
    return bounded(in_items(request.input))


def _functions(request: LLMRequest) -> Iterator[str]:
    """Keys of function tools. Only chat completions and the Responses API get all of them."""
    for index, tool in enumerate(request.tools):
        if tool.get("type", "function") != "function":
            continue
        inner = tool.get("function")
        if isinstance(inner, Mapping):
            yield from _others(f"tools[{index}]", tool, _OF_TOOL)
            yield from _others(f"tools[{index}].function", inner, _OF_FUNCTION)
        else:
            yield from _others(f"tools[{index}]", tool, ("type", *_OF_FUNCTION))


def _others(path: str, holder: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    others = [key for key, value in holder.items() if key not in known and value is not None]
    return (f"{path}.{name}" for name in bounded(others))
