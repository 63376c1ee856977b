"""What each Claude takes, from the vendor's pages. For `anthropic.py`.

https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting (forms of thinking),
.../effort, .../models/*/migration-guide (samplers, prefill, forced tools, each by name),
.../about-claude/models/overview (most tokens), .../build-with-claude/structured-outputs (from 4.5
on).
"""

import re
from dataclasses import dataclass, replace
from typing import Final

ALL: Final = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claude:
    samplers: str = "none"
    """`both`, `one` or `none`."""
    efforts: tuple[str, ...] = ALL
    thinking: tuple[str, ...] = ("adaptive",)
    on: bool = True
    """It thinks where the request does not speak of it."""
    off_most: str = "max"
    """The most effort with thinking off."""
    forced: bool = False
    prefill: bool = False
    schemas: bool = True
    most: int = 128_000
    bound: bool = False
    """Its thinking is bound to what stood before it."""


_NEWEST: Final = Claude(bound=True)
_FIVE: Final = Claude(forced=True, thinking=("adaptive", "disabled"))
_FOUR_SEVEN: Final = replace(_FIVE, on=False)
_FOUR_SIX: Final = replace(
    _FOUR_SEVEN,
    samplers="one",
    efforts=("low", "medium", "high", "max"),
    thinking=("adaptive", "enabled", "disabled"),
)
_FOUR_FIVE: Final = replace(
    _FOUR_SIX, efforts=(), thinking=("enabled", "disabled"), prefill=True, most=64_000
)
_FOUR: Final = replace(_FOUR_FIVE, schemas=False)
_THREE: Final = replace(_FOUR, samplers="both", thinking=(), most=4096)

MODELS: Final[tuple[tuple[str, Claude], ...]] = (
    (r"(fable|mythos)-5-[12]", _NEWEST),
    (r"(fable|mythos)-5", Claude(forced=True)),
    (
        r"mythos-preview",
        Claude(
            forced=True, thinking=("adaptive", "enabled"), efforts=("low", "medium", "high", "max")
        ),
    ),
    (r"opus-5-5", _NEWEST),
    (r"sonnet-5-5", replace(_NEWEST, thinking=("adaptive", "between_tools"), off_most="high")),
    (r"haiku-5-5", replace(_FIVE, off_most="high", bound=True)),
    (r"opus-5", replace(_FIVE, off_most="high")),
    (r"sonnet-5", _FIVE),
    (r"opus-4-[78]", _FOUR_SEVEN),
    (r"(opus|sonnet)-4-6", _FOUR_SIX),
    (r"opus-4-5", replace(_FOUR_FIVE, efforts=("low", "medium", "high"))),
    (r"(sonnet|haiku)-4-5", _FOUR_FIVE),
    (r"opus-4(-[01])?", replace(_FOUR, most=32_000)),
    (r"sonnet-4(-0)?", _FOUR),
    (r"3-7-sonnet", replace(_THREE, thinking=("enabled", "disabled"), most=64_000)),
    (r"3-5-(sonnet|haiku)", replace(_THREE, most=8192)),
    (r"3-(opus|sonnet|haiku)", _THREE),
)


def claude(model: str) -> Claude | None:
    """None for a model that is not served."""
    name = re.sub(r"-(\d{8}|latest)$", "", model)
    for pattern, facts in MODELS:
        if re.fullmatch(f"claude-{pattern}", name):
            return facts
    return None
