"""`openai_compatible`: chat completions of every server that speaks as OpenAI does (Groq,
OpenRouter, Mistral, vLLM, llama.cpp, LM Studio, Ollama's `/v1`, …)."""

from nexus_actors.providers.apis.chat_api import ChatApi
from nexus_actors.providers.http.provider import HttpKind, HttpSettings


class OpenAICompatibleSettings(HttpSettings):
    """Settings of the kind `openai_compatible`."""


def _api(_: OpenAICompatibleSettings) -> ChatApi:
    return ChatApi()


PROVIDER = HttpKind(OpenAICompatibleSettings, _api)
