"""What each model takes: a fact about the model, read from `models.toml` beside this file.

The file's entries are laid over each other in their order, general ones first; what the config says
of a model (`[providers.NAME.models."MODEL"] takes = { … }`) is laid over them all. Of a model that
no entry knows, everything is sent: the provider says what it does not take, and that is learnt
(`nexus.model_quirks`).
"""

import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nexus_actors.contract.request import ReasoningEffort

EFFORTS: Final[tuple[ReasoningEffort, ...]] = (
    "none",
    "minimal",
    "low",
    "medium",
    "high",
    "xhigh",
    "max",
)
"""In order, least first."""
Thinking = Literal["adaptive", "enabled", "disabled", "between_tools", "level", "budget"]
_KEPT: Final = 1024
"""Models at most: requests can name any number of them."""


class Takes(BaseModel):
    """What one model takes at one server. Everything is taken unless an entry says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    samplers: Literal["both", "one", "idle", "none"] = "both"
    """`temperature` and `top_p`: both, one of them in a request, only while it does not think (an
    effort of `none`), or neither."""
    most_temperature: float | None = Field(default=None, ge=0)
    """The highest `temperature`."""
    top_k: bool = True
    penalties: bool = True
    """`presence_penalty` and `frequency_penalty`."""
    seed: bool = True
    stop: bool = True
    blank_stop: bool = True
    """Stop sequences of white space alone."""
    most_stops: int | None = Field(default=None, ge=1)
    efforts: tuple[ReasoningEffort, ...] = EFFORTS
    """Empty: it does not think, or not as told."""
    default_effort: ReasoningEffort | None = None
    """How much it thinks where the request says nothing."""
    thinking: tuple[Thinking, ...] = ()
    """Forms in which thinking is asked for: Claude's `thinking.type`, Gemini's level or budget."""
    thinks_unasked: bool = False
    """Claude: it thinks where a request does not speak of thinking."""
    effort_without_thinking: ReasoningEffort | None = None
    """Claude: the most effort while its thinking is switched off; None: any."""
    thinking_budget: tuple[int, int] | None = None
    """Tokens, least and most."""
    effort_words: Mapping[ReasoningEffort, str] = Field(default_factory=dict)
    """Efforts that chat completions call by another word here, such as Groq's `default`."""
    forced_tool_choice: bool = True
    """`required`, or a named function."""
    forced_choice_idle: bool = False
    """That, only while it does not think: thinking is then switched off (DeepSeek)."""
    tool_choice: bool = True
    allowed_tools: bool = False
    """A choice among some of the tools, in chat completions; else the others are left out."""
    parallel_tool_calls: bool = True
    strict_tools: bool = True
    """Function tools with `strict`; else it is left out, and reported."""
    prefill: bool = True
    """A last message from the assistant, for the model to go on with."""
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The name of the limit in chat completions."""
    max_output_tokens: int | None = Field(default=None, ge=1)
    """The most it answers with."""
    outputs: tuple[Literal["json_object", "json_schema"], ...] = ("json_object", "json_schema")
    output_beside_tools: bool = True
    """Those, in a request with functions (Gemini)."""
    result_media: bool = True
    """Images and files in a tool's result (Gemini)."""
    verbosity: bool = True
    images: bool = True
    image_urls: bool = True
    """Images by http; else only as data."""
    files: bool = True
    file_urls: bool = True
    """Files by http; else only as data."""
    audio: bool = True
    cache_control: bool = False
    """Marks in the prompt up to which it is to be cached."""
    reasoning_sent_back: bool = False
    """A turn of calls is refused that lacks the `reasoning_content` it came with."""
    encrypted_reasoning: bool = False
    """Its thoughts come encrypted where they are asked for, to be sent back (OpenAI)."""
    signatures: bool = False
    """A turn of calls is refused whose first call lacks the signature it came with (Google)."""
    chat: Literal["always", "without_tools", "never"] = "always"
    """Whether OpenAI's chat completions answer for it: always, with tools only while it does not
    think, or the Responses API alone."""
    searches_by: Literal["query", "prompt"] = "query"
    """By what its own searches are paid: each query, or once for a prompt (Google)."""
    foreign: tuple[str, ...] = ()
    """Keys of a message that are sent on although no state of ours seals them."""

    def with_other_limit(self) -> Self:
        """The same, but the limit has the other of its two names."""
        other = "max_tokens" if self.limit == "max_completion_tokens" else "max_completion_tokens"
        return self.model_copy(update={"limit": other})

    @model_validator(mode="before")
    @classmethod
    def _freeze_lists(cls, given: Any) -> Any:
        # A list of TOML's is one of Python's by the time some kinds of provider hand it on.
        if not isinstance(given, Mapping):
            return given
        return {key: tuple(it) if isinstance(it, list) else it for key, it in given.items()}

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        if self.thinking_budget is not None:
            least, most = self.thinking_budget
            if not 0 <= least <= most:
                raise ValueError("thinking_budget: expected the least number of tokens, the most")
        return self


def nearest(effort: ReasoningEffort, taken: tuple[ReasoningEffort, ...]) -> ReasoningEffort:
    """The taken effort that is nearest, the lesser of two; `taken` must not be empty."""
    wanted = EFFORTS.index(effort)
    return min(taken, key=lambda it: (abs(EFFORTS.index(it) - wanted), EFFORTS.index(it)))


class _Entry(Takes):
    """One entry of the file: for these models, at these servers."""

    names: tuple[str, ...]
    """Globs of `plain_name`; a Claude's without its date and a cloud's version."""
    at: tuple[str, ...] = ()
    """Servers: a kind (`openai/chat`, `openai/responses`), a preset, or what stands before their
    slash. Empty: everywhere."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it says, by the fields of `Takes`."""
        return {it: getattr(self, it) for it in self.model_fields_set - {"names", "at"}}

    def is_for(self, server: str, name: str) -> bool:
        """Whether it speaks of the model of this plain name at this server."""
        there = not self.at or server in self.at or server.partition("/")[0] in self.at
        return there and any(fnmatchcase(name, glob) for glob in self.names)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: tuple[_Entry, ...] = Field(min_length=1)


@cache
def _entries() -> tuple[_Entry, ...]:
    text = files("nexus_actors.providers").joinpath("models.toml").read_text(encoding="utf-8")
    return _File.model_validate(tomllib.loads(text)).model


def plain_name(model: str) -> str:
    """A model's name as the file has it, whoever serves it: without `models/`, a gateway's
    `openai/`, a cloud's `us.anthropic.`, and what fine-tuning put around it."""
    name = model.lower()
    if name.startswith("ft:"):
        name = name.split(":")[1]
    name = name.rpartition("/")[2]
    name = _CLOUDS_CLAUDE.sub("", name)
    return name.replace(".", "-") if name.startswith("claude-") else name


_CLOUDS_CLAUDE: Final = re.compile(r"^(?:[a-z0-9-]+\.)*anthropic\.(?=claude-)")
"""As Bedrock writes it: `anthropic.`, mostly with a part of the world before it."""


def _family_name(name: str) -> str:
    """A plain name without its release, so that a glob of one Claude is not one of another:
    `claude-opus-5-20260724` is no 5.2; and the number last, which some clouds put first."""
    if not name.startswith("claude"):
        return name
    name = _CLAUDE_RELEASE.sub("", name)
    return _CLAUDE_NUMBER_FIRST.sub(r"claude-\2-\1", name)


_CLAUDE_RELEASE: Final = re.compile(r"[@:].*|-(?:\d{8}|latest)(?=[-@:]|$)|(?<=\d)-v\d+(?=[@:]|$)")
"""A date, a cloud's version, a gateway's variant: `-20251101`, `-v1:0`, `@default`, `:beta`."""
_CLAUDE_NUMBER_FIRST: Final = re.compile(r"^claude-(\d(?:-\d)?)-(opus|sonnet|haiku)(?=-|$)")


@lru_cache(_KEPT)
def model_takes(server: str, model: str) -> Takes:
    """What the file says of `model` at `server`."""
    name = _family_name(plain_name(model))
    facts: dict[str, Any] = {}
    for entry in _entries():
        if entry.is_for(server, name):
            facts.update(entry.facts)
    return Takes(**facts)


def with_changes(takes: Takes, changes: Takes | None) -> Takes:
    """`takes` with what `changes` says expressly laid over it."""
    if changes is None:
        return takes
    return takes.model_copy(
        update={name: getattr(changes, name) for name in changes.model_fields_set}
    )
