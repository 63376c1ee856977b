"""The vendors' own clients, each asked in its vendor's own form."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from differential.models import Model


def call(model: Model, url: str, fields: Mapping[str, Any]) -> Any:
    """One call. Raises."""
    return _CALLS[model.api](model.name, url, deepcopy(dict(fields)))


def openai_client(url: str) -> Any:
    """OpenAI's."""
    import openai

    return openai.OpenAI(api_key="key", base_url=f"{url}/v1", max_retries=0)


def anthropic_client(url: str) -> Any:
    """Anthropic's."""
    import anthropic

    return anthropic.Anthropic(api_key="key", base_url=url, max_retries=0)


def google_client(url: str) -> Any:
    """Google's, for the Gemini API."""
    from google import genai

    return genai.Client(api_key="key", http_options={"base_url": url, "api_version": "v1beta"})


def _chat(name: str, url: str, fields: dict[str, Any]) -> Any:
    with openai_client(url) as client:
        return client.chat.completions.create(model=name, **fields)


def _responses(name: str, url: str, fields: dict[str, Any]) -> Any:
    with openai_client(url) as client:
        return client.responses.create(model=name, **fields)


def _messages(name: str, url: str, fields: dict[str, Any]) -> Any:
    with anthropic_client(url) as client:
        return client.messages.create(model=name, timeout=30.0, **fields)


def _generate_content(name: str, url: str, fields: dict[str, Any]) -> Any:
    with google_client(url) as client:
        if fields.pop("stream", False):
            return list(client.models.generate_content_stream(model=name, **fields))
        return client.models.generate_content(model=name, **fields)


_CALLS = {
    "chat": _chat,
    "responses": _responses,
    "messages": _messages,
    "generate_content": _generate_content,
}
