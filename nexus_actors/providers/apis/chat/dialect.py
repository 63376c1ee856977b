"""How servers of chat completions differ in the calls that they accept.

`models.toml` says what a *model* accepts. This concerns the server, whatever its model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from nexus_actors.providers.apis.call_ids import OPENAI_CHAT, CallIds

ROLES: Final = frozenset({"system", "user", "assistant", "tool"})
OPENAI_EXTRAS: Final = frozenset({"prompt_cache_key", "service_tier", "user"})
"""Without `metadata`, which OpenAI accepts only if the answer is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The requirements of one kind of server. The defaults are OpenAI's."""

    ids: CallIds = OPENAI_CHAT
    names: frozenset[str] = ROLES
    """Roles whose messages may have a `name`. Other names are dropped, which is reported."""
    extras: frozenset[str] = OPENAI_EXTRAS
    """Which of `metadata`, `prompt_cache_key`, `service_tier` and `user` are sent."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Fields of the body that have another name on this server."""
    stream_usage: bool = True
    """Whether usage in a stream must be requested."""
    schema_streams: bool = True
    """Whether an answer with a JSON Schema may be streamed. If not, it is requested unstreamed."""
    prefix: bool = False
    """Whether a last message from the assistant is marked as a prefix to continue (`prefix`)."""
    system_last: bool = True
    """Whether the last message may be a system message."""
    thinking: bool = False
    """Whether `thinking.type` enables thinking, in addition to the effort (DeepSeek)."""
    auto_cache: bool = False
    """Whether `cache_control` may be a top-level field, beside `messages` (OpenRouter)."""
    media: Literal["openai", "mistral", "openrouter"] = "openai"
    """Whose forms of files and audio the server accepts."""


OPENAI: Final = Dialect()
