"""What differs in how servers that speak chat completions want a call written.

What a *model* takes stands in `models.toml`. This is about the server, whatever its model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from nexus_actors.providers.apis.call_ids import OPENAI_CHAT, CallIds

ROLES: Final = frozenset({"system", "user", "assistant", "tool"})
OPENAI_EXTRAS: Final = frozenset({"prompt_cache_key", "service_tier", "user"})
"""`metadata` is not among them: OpenAI takes it only where the answer is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one kind of server is spoken to. The defaults are OpenAI's."""

    ids: CallIds = OPENAI_CHAT
    names: frozenset[str] = ROLES
    """Roles whose messages may have a `name`; of others it is dropped, and told."""
    extras: frozenset[str] = OPENAI_EXTRAS
    """Those of `metadata`, `prompt_cache_key`, `service_tier` and `user` that are sent."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Fields of the body that have another name here."""
    stream_usage: bool = True
    """Whether a stream has to be asked for its usage."""
    schema_streams: bool = True
    """Whether an answer by a JSON Schema may be streamed; else it is asked for whole."""
    prefix: bool = False
    """Whether a last message from the assistant is marked as one to go on with (`prefix`)."""
    system_last: bool = True
    """Whether the last message may be the system's."""
    thinking: bool = False
    """Whether thinking is switched by `thinking.type` beside the effort (DeepSeek)."""
    auto_cache: bool = False
    """Whether `cache_control` may stand beside `messages` (OpenRouter)."""
    media: Literal["openai", "mistral", "openrouter"] = "openai"
    """Whose forms files and recordings have."""


OPENAI: Final = Dialect()
