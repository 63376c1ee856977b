"""A table of the differences between servers of chat completions.

It has only what a server's documentation says, and what a server would refuse or ignore silently.
Everything else is sent as to OpenAI; a server that does not accept it reports an error.
`models.toml` says what the models accept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from nexus_actors.providers.apis.call_ids import MISTRAL
from nexus_actors.providers.apis.chat.dialect import OPENAI, Dialect
from nexus_actors.providers.http.api import FreeCall

PresetName = Literal[
    "azure",
    "deepseek",
    "gemini_chat",
    "groq",
    "llama_cpp",
    "lm_studio",
    "mistral",
    "ollama",
    "openrouter",
    "together",
    "vllm",
    "xai",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One kind of server."""

    base_url: str | None = None
    """None if every account has its own."""
    base_url_form: str | None = None
    """The form of an account's URL, if every account has its own."""
    free: bool = False
    """Whether the server is self-hosted, so that calls cost nothing."""
    key_header: str = "Authorization"
    """`Authorization` contains `Bearer KEY`, any other header only the key."""
    dialect: Dialect = field(default=OPENAI)
    free_call: FreeCall = field(default=FreeCall())


PLAIN: Final = Preset()
_NO_EXTRAS: Final = Dialect(extras=frozenset())
PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        # https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle (v1): base_url
        # is https://RESOURCE.openai.azure.com/openai/v1. The model is the name of a deployment,
        # which does not show whether it reasons. Every model accepts the limit's newer name.
        "azure": Preset(
            base_url_form="https://RESOURCE.openai.azure.com/openai/v1",
            key_header="api-key",
            free_call=FreeCall(lists_models=False),  # it lists base models, not deployments
        ),
        # https://api-docs.deepseek.com/api/create-chat-completion
        "deepseek": Preset(
            base_url="https://api.deepseek.com",
            dialect=Dialect(extras=frozenset(), thinking=True),
        ),
        # https://ai.google.dev/gemini-api/docs/openai
        "gemini_chat": Preset(
            base_url="https://generativelanguage.googleapis.com/v1beta/openai", dialect=_NO_EXTRAS
        ),
        # https://console.groq.com/docs/openai: names of messages are refused with 400.
        # https://console.groq.com/docs/structured-outputs: no streaming with a schema.
        "groq": Preset(
            base_url="https://api.groq.com/openai/v1",
            dialect=Dialect(
                names=frozenset(),
                extras=frozenset({"service_tier", "user"}),
                schema_streams=False,
            ),
        ),
        # Anyone may list its models, whatever key the server was started with.
        "llama_cpp": Preset(
            base_url="http://127.0.0.1:8080/v1",
            free=True,
            dialect=_NO_EXTRAS,
            free_call=FreeCall(proves_key=False, lists_models=False),
        ),
        "lm_studio": Preset(base_url="http://127.0.0.1:1234/v1", free=True, dialect=_NO_EXTRAS),
        # https://docs.mistral.ai/api/: refuses unknown fields with 422; reports a stream's usage
        # without being asked; ids of calls have nine letters and digits.
        "mistral": Preset(
            base_url="https://api.mistral.ai/v1",
            dialect=Dialect(
                ids=MISTRAL,
                names=frozenset(),
                extras=frozenset({"metadata", "prompt_cache_key"}),
                renamed=MappingProxyType({"seed": "random_seed"}),
                stream_usage=False,
                prefix=True,
                system_last=False,
                media="mistral",
            ),
        ),
        # https://docs.ollama.com/api/openai-compatibility: unknown fields are ignored.
        "ollama": Preset(base_url="http://127.0.0.1:11434/v1", free=True, dialect=_NO_EXTRAS),
        # https://openrouter.ai/docs/api-reference/overview: errors come inside a 200 response, also
        # in the middle of a stream. All readers here recognize them.
        # https://openrouter.ai/docs/guides/best-practices/prompt-caching: cache marks in parts.
        "openrouter": Preset(
            base_url="https://openrouter.ai/api/v1",
            dialect=Dialect(
                extras=frozenset({"metadata", "service_tier", "user"}),
                auto_cache=True,
                media="openrouter",
            ),
            # https://openrouter.ai/docs/api/api-reference/api-keys/get-current-api-key: anyone may
            # list its models.
            free_call=FreeCall("/key", lists_models=False),
        ),
        "together": Preset(base_url="https://api.together.xyz/v1", dialect=_NO_EXTRAS),
        "vllm": Preset(
            base_url="http://127.0.0.1:8000/v1",
            free=True,
            dialect=Dialect(extras=frozenset({"user"})),
        ),
        # https://docs.x.ai/docs/api-reference: max_tokens is deprecated; only users have names.
        "xai": Preset(
            base_url="https://api.x.ai/v1",
            dialect=Dialect(names=frozenset({"user"}), extras=frozenset({"user"})),
        ),
    }
)
