"""How the vendors' own clients read an answer."""

from typing import Any, Final

from differential import official_clients
from differential.models import Model
from differential.readings import FAILED, Reading, counts, of_chat, of_response, reading

_ASKED: Final = "How is the weather in Oslo?"
_TURNS: Final[Any] = [{"role": "user", "content": _ASKED}]
_MESSAGES_ENDS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_GEMINI_ENDS: Final = {"STOP": "stop", "MAX_TOKENS": "length"}
_GEMINI_FILTERS: Final = ("SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII")


def read(model: Model, url: str, *, stream: bool) -> Reading:
    """One call and what came of it. Raises."""
    return _READERS[model.api](model.name, url, stream)


def _chat(name: str, url: str, stream: bool) -> Reading:
    with official_clients.openai_client(url) as client:
        if not stream:
            return of_chat(client.chat.completions.create(model=name, messages=_TURNS))
        with client.chat.completions.stream(model=name, messages=_TURNS) as events:
            return of_chat(events.get_final_completion())


def _responses(name: str, url: str, stream: bool) -> Reading:
    with official_clients.openai_client(url) as client:
        if not stream:
            return of_response(client.responses.create(model=name, input=_ASKED))
        for event in client.responses.create(model=name, input=_ASKED, stream=True):
            if event.type in ("response.completed", "response.incomplete"):
                return of_response(event.response)
        return FAILED


def _messages(name: str, url: str, stream: bool) -> Reading:
    asked: Any = {"model": name, "max_tokens": 100, "messages": _TURNS}
    with official_clients.anthropic_client(url) as client:
        if not stream:
            return _of_message(client.messages.create(**asked))
        with client.messages.stream(**asked) as events:
            return _of_message(events.get_final_message())


def _of_message(answer: Any) -> Reading:
    texts = [it.text for it in answer.content if it.type == "text"]
    made = [(it.id, it.name, it.input) for it in answer.content if it.type == "tool_use"]
    usage = answer.usage
    read_in = usage.cache_read_input_tokens or 0
    prompt = usage.input_tokens + read_in + (usage.cache_creation_input_tokens or 0)
    finish = _MESSAGES_ENDS.get(answer.stop_reason, answer.stop_reason)
    return reading("".join(texts), made, finish, counts(prompt, usage.output_tokens, read_in))


def _generate_content(name: str, url: str, stream: bool) -> Reading:
    with official_clients.google_client(url) as client:
        ask = client.models
        if not stream:
            return _of_contents([ask.generate_content(model=name, contents=_ASKED)])
        return _of_contents(list(ask.generate_content_stream(model=name, contents=_ASKED)))


def _of_contents(chunks: list[Any]) -> Reading:
    texts: list[str] = []
    made: list[tuple[Any, Any, Any]] = []
    finish = usage = None
    for chunk in chunks:
        usage = chunk.usage_metadata or usage
        for candidate in chunk.candidates or ():
            finish = candidate.finish_reason or finish
            parts = candidate.content.parts if candidate.content else None
            for part in parts or ():
                if part.text and not part.thought:
                    texts.append(part.text)
                if (call := part.function_call) is not None:
                    made.append((call.id, call.name, call.args or {}))
    if finish is None:
        return FAILED
    end = _GEMINI_ENDS.get(finish.value, finish.value)
    end = "content_filter" if finish.value in _GEMINI_FILTERS else end
    told = counts(
        usage.prompt_token_count,
        (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        usage.cached_content_token_count,
        usage.thoughts_token_count,
    )
    return reading("".join(texts), made, "tool_calls" if made else end, told)


_READERS: Final = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
    "generate_content": _generate_content,
}
