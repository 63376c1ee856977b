"""The models that are asked, and the names that each side knows them by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Api = Literal["chat", "responses", "messages", "generate_content"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of one vendor, asked by one API."""

    vendor: str
    name: str
    """As the vendor has it."""
    api: Api
    kind: str
    """Ours."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of our provider, besides the URL."""
    litellm: str
    """LiteLLM's name of it."""
    root: str = "/v1"
    """What our base URL ends in."""
    litellm_root: str = "/v1"

    @property
    def key(self) -> str:
        """Its name in reports and in `accepted.toml`."""
        return f"{self.vendor}/{self.name}"

    @property
    def api_version(self) -> str:
        """As requests of ours say it."""
        return "chat_completions" if self.api == "chat" else "responses"


def claude(name: str) -> Model:
    """Anthropic's."""
    return Model(
        vendor="anthropic",
        name=name,
        api="messages",
        kind="anthropic",
        litellm=f"anthropic/{name}",
        litellm_root="",
    )


def openai(name: str, api: Api) -> Model:
    """OpenAI's, by one of its two APIs."""
    return Model(
        vendor=f"openai-{api}", name=name, api=api, kind="openai", litellm=f"openai/{name}"
    )


def gemini(name: str) -> Model:
    """Google's."""
    return Model(
        vendor="gemini",
        name=name,
        api="generate_content",
        kind="gemini",
        root="/v1beta",
        litellm=f"gemini/{name}",
        litellm_root="/v1beta",
    )


def preset(vendor: str, name: str, litellm: str | None = None) -> Model:
    """Of a server that speaks chat completions."""
    return Model(
        vendor=vendor,
        name=name,
        api="chat",
        kind="openai_compatible",
        settings={"preset": vendor},
        litellm=litellm or f"{vendor}/{name}",
    )


MODELS: Final = (
    claude("claude-sonnet-4-5"),
    claude("claude-opus-4-6"),
    claude("claude-opus-5-5"),
    openai("gpt-4o", "chat"),
    openai("gpt-5.2", "chat"),
    openai("gpt-6.1-sol", "chat"),
    openai("gpt-4.1", "responses"),
    openai("gpt-6.1-terra", "responses"),
    gemini("gemini-2.5-flash"),
    gemini("gemini-3.8-flash"),
    preset("groq", "openai/gpt-oss-120b"),
    preset("mistral", "mistral-large-latest"),
    preset("deepseek", "deepseek-v4-pro"),
    preset("xai", "grok-4.7"),
    # LiteLLM asks Ollama by Ollama's own API, so it is compared as a server that speaks OpenAI's.
    preset("ollama", "llama3.2", "openai/llama3.2"),
    preset("openrouter", "anthropic/claude-sonnet-5.5"),
)
BY_KEY: Final = {model.key: model for model in MODELS}
