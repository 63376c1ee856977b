"""What differs between the servers that speak chat completions: a table, and how it is applied.

Only what a server's own documentation says, and what it would refuse or ignore without a word. What
is not in the table goes as OpenAI's API has it: a server that cannot take it says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import urlencode

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat_api import ChatApi
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes

PresetName = Literal[
    "azure",
    "deepseek",
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

_NEWER_LIMIT: Final = MappingProxyType({"max_tokens": "max_completion_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One kind of server."""

    base_url: str | None = None
    """None: every account has its own."""
    free: bool = False
    """A server of one's own."""
    key_header: str = "Authorization"
    """`Authorization` holds `Bearer KEY`, any other header the key alone."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Fields of the body that have another name here."""
    unknown: frozenset[str] = frozenset()
    """Fields of the body that are dropped, and told where they stand for a field of the request."""
    message_names: bool = True
    """Whether messages may have a `name`; else it is dropped, and told."""


PLAIN: Final = Preset()
PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        # https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle (v1): base_url
        # is https://RESOURCE.openai.azure.com/openai/v1, the model's name a deployment's, which
        # does not tell whether it reasons; every model takes the newer name of the limit.
        "azure": Preset(key_header="api-key", renamed=_NEWER_LIMIT),
        # https://api-docs.deepseek.com/api/create-chat-completion
        "deepseek": Preset(base_url="https://api.deepseek.com"),
        # https://console.groq.com/docs/openai: names of messages are refused with 400.
        "groq": Preset(
            base_url="https://api.groq.com/openai/v1", renamed=_NEWER_LIMIT, message_names=False
        ),
        "llama_cpp": Preset(base_url="http://127.0.0.1:8080/v1", free=True),
        "lm_studio": Preset(base_url="http://127.0.0.1:1234/v1", free=True),
        # https://docs.mistral.ai/api/: refuses every field it does not know with 422; tells the
        # usage of a stream unasked.
        "mistral": Preset(
            base_url="https://api.mistral.ai/v1",
            renamed=MappingProxyType(
                {"seed": "random_seed", "max_completion_tokens": "max_tokens"}
            ),
            unknown=frozenset({"stream_options"}),
            message_names=False,
        ),
        # https://docs.ollama.com/api/openai-compatibility: what it does not know it ignores.
        "ollama": Preset(
            base_url="http://127.0.0.1:11434/v1",
            free=True,
            unknown=frozenset({"parallel_tool_calls"}),
        ),
        # https://openrouter.ai/docs/api-reference/overview: errors come inside a 200 answer, also
        # in the middle of a stream, which every reader here takes for what they are.
        "openrouter": Preset(base_url="https://openrouter.ai/api/v1"),
        "together": Preset(base_url="https://api.together.xyz/v1"),
        "vllm": Preset(base_url="http://127.0.0.1:8000/v1", free=True),
        # https://docs.x.ai/docs/api-reference: max_tokens is deprecated.
        "xai": Preset(base_url="https://api.x.ai/v1", renamed=_NEWER_LIMIT),
    }
)


class PresetApi(ChatApi):
    """Chat completions as one kind of server takes them; an `HttpApi`."""

    def __init__(self, preset: Preset, query: Mapping[str, str]) -> None:
        self._preset = preset
        self._query = f"?{urlencode(query)}" if query else ""

    def headers(self, key: str) -> Mapping[str, str]:
        name = self._preset.key_header
        return super().headers(key) if name == "Authorization" or not key else {name: key}

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        prepared = super().prepare(request, model, takes, stream=stream)
        if isinstance(prepared, ProviderFailure):
            return prepared
        adapted = adapt(prepared, self._preset)
        return replace(adapted, path=adapted.path + self._query)


def adapt(prepared: Prepared, preset: Preset) -> Prepared:
    """The call as the server takes it."""
    body: dict[str, Any] = {
        preset.renamed.get(name, name): value
        for name, value in prepared.body.items()
        if name not in preset.unknown
    }
    dropped = [
        name
        for name in prepared.body
        if name in preset.unknown and name in LLMRequest.__dataclass_fields__
    ]
    if not preset.message_names:
        messages = body["messages"]
        dropped += [f"messages[{i}].name" for i, it in enumerate(messages) if "name" in it]
        body["messages"] = [{k: it[k] for k in it if k != "name"} for it in messages]
    return replace(prepared, body=body, dropped=(*prepared.dropped, *dropped))
