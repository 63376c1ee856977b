"""What `models.toml` says of a model, and what LiteLLM's table does."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from differential.findings import Finding
from differential.normal import Difference
from nexus_actors.providers.takes import EFFORTS, Takes, model_takes

_SERVERS: Final = {
    "anthropic": "anthropic",
    "openai": "openai/responses",
    "gemini": "gemini",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "xai": "xai",
}
"""By LiteLLM's name of the provider."""
_FLAGS: Final = (
    ("supports_sampling_params", "samplers"),
    ("supports_forced_tool_use", "forced_tool_choice"),
    ("supports_assistant_prefill", "prefill"),
    ("supports_vision", "images"),
    ("supports_audio_input", "audio"),
    ("supports_parallel_function_calling", "parallel_tool_calls"),
)
_MODES: Final = ("chat", "responses")


def compare() -> Iterator[Finding]:
    """Each model that the table has, of the vendors that ours names."""
    import litellm

    for name, row in sorted(litellm.model_cost.items()):
        vendor = row.get("litellm_provider")
        if vendor not in _SERVERS or row.get("mode") not in _MODES or name.startswith("ft:"):
            continue
        model = name.removeprefix(f"{vendor}/")
        takes = model_takes(_SERVERS[vendor], model)
        if vendor == "openai":  # of recordings only chat knows
            takes = takes.model_copy(update={"audio": model_takes("openai/chat", model).audio})
        found = tuple(_differences(takes, row))
        yield Finding("facts", vendor, f"{vendor}/{model}", "table", "litellm", found)


def _differences(takes: Takes, row: Mapping[str, Any]) -> Iterator[Difference]:
    for flag, field in _FLAGS:
        if flag not in row:
            continue
        mine = getattr(takes, field)
        mine = mine not in ("none",) if field == "samplers" else mine
        if mine != row[flag]:
            yield Difference(field, mine, row[flag])
    most = row.get("max_output_tokens")
    if most is not None and takes.max_output_tokens not in (None, most):
        yield Difference("max_output_tokens", takes.max_output_tokens, most)
    levels = row.get("reasoning_effort_levels")
    if levels is not None:
        told = sorted(levels, key=_order)
        if told != list(takes.efforts):
            yield Difference("efforts", list(takes.efforts), told)
        return
    for effort in EFFORTS:
        said = row.get(f"supports_{effort}_reasoning_effort")
        if said is not None and said != (effort in takes.efforts):
            yield Difference(f"efforts.{effort}", effort in takes.efforts, said)


def _order(effort: str) -> int:
    return EFFORTS.index(effort) if effort in EFFORTS else len(EFFORTS)
