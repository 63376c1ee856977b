"""Which of OpenAI's two APIs is asked."""

from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.responses.api import ResponsesOrChatApi
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import NESTED

API = ResponsesOrChatApi()


def prepared(model: str, **fields: Any) -> Prepared:
    request = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=({"role": "user", "content": "Hi"},),
        api_version="chat_completions",
        **fields,
    )
    found = API.prepare(request, model, model_takes("openai/chat", model), stream=False)
    assert isinstance(found, Prepared), found
    return found


def test_the_responses_api_is_asked_where_chat_would_refuse() -> None:
    cases = [
        ("gpt-4o", {"tools": (NESTED,)}, "/chat/completions"),
        ("gpt-5", {"tools": (NESTED,)}, "/chat/completions"),
        ("gpt-6.1-sol", {}, "/chat/completions"),
        ("gpt-6.1-sol", {"tools": (NESTED,)}, "/responses"),
        ("gpt-6.1-sol", {"tools": (NESTED,), "reasoning_effort": "none"}, "/responses"),
        ("gpt-6-luna", {"tools": (NESTED,)}, "/responses"),
        ("gpt-6-luna", {"tools": (NESTED,), "reasoning_effort": "none"}, "/chat/completions"),
        ("gpt-5.4", {"tools": (NESTED,)}, "/chat/completions"),  # it does not think unasked
        ("gpt-5.4", {"tools": (NESTED,), "reasoning_effort": "low"}, "/responses"),
        ("gpt-5.5", {"tools": (NESTED,)}, "/responses"),
        ("gpt-7", {"tools": (NESTED,)}, "/responses"),
        ("gpt-5-codex", {}, "/responses"),
        ("gpt-5.2-pro", {}, "/responses"),
        ("o3-pro", {}, "/responses"),
        ("o3", {"tools": (NESTED,)}, "/chat/completions"),
        ("future-model-9", {"tools": (NESTED,)}, "/chat/completions"),
    ]
    wrong = []
    for model, fields, path in cases:
        found = prepared(model, **fields)
        if not (
            found.path == path
            and any(it.startswith("api_version:") for it in found.dropped) is (path == "/responses")
        ):
            wrong.append((model, fields, path, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_the_highest_effort_is_known_to_the_responses_api_alone() -> None:
    assert prepared("gpt-6-luna", reasoning_effort="max").body["reasoning_effort"] == "xhigh"
