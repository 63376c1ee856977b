"""What Google's models take, as the vendor's pages say.

https://ai.google.dev/gemini-api/docs/thinking, .../docs/whats-new-gemini-3.6,
.../docs/generate-content/latest-model, .../docs/thought-signatures
"""

import re
from dataclasses import dataclass
from typing import Final

_TO_HIGH: Final = ("LOW", "MEDIUM", "HIGH")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One model."""

    levels: tuple[str, ...] = ()
    """Of `thinkingLevel`; empty: there is none."""
    budget: tuple[int, int] | None = None
    """Of `thinkingBudget`: least and most; None: there is none."""
    can_be_idle: bool = False
    """A budget of 0 is taken too."""
    penalties: bool = True
    samplers: bool = True
    signatures: bool = False
    """A call without its signature is refused."""
    begun: bool = True
    """A last turn of the model's is taken."""
    most: int = 65_536
    """Output tokens."""


_MODELS: Final[tuple[tuple[str, Facts], ...]] = (
    ("gemini-2.5-pro.*", Facts(budget=(128, 32_768), penalties=False)),
    ("gemini-2.5-flash-lite.*", Facts(budget=(512, 24_576), can_be_idle=True)),
    ("gemini-2.5-flash.*", Facts(budget=(0, 24_576), can_be_idle=True)),
    ("gemini-[12].*|gemma.*", Facts(most=8_192)),
    (
        r"gemini-3-pro.*",
        Facts(levels=("LOW", "HIGH"), penalties=False, signatures=True),
    ),
    (
        r"gemini-3-flash.*|gemini-3\.[15]-flash(-lite-preview)?",
        Facts(levels=("MINIMAL", *_TO_HIGH), penalties=False, signatures=True),
    ),
    (
        r"gemini-3\.1-flash-lite.*",
        Facts(levels=("MINIMAL", *_TO_HIGH), penalties=False, signatures=True),
    ),
    (r"gemini-3\.1-pro.*", Facts(levels=_TO_HIGH, penalties=False, signatures=True)),
    (
        r"gemini-3\.5-flash-lite|gemini-3\.6-flash.*",
        Facts(levels=("MINIMAL", *_TO_HIGH), penalties=False, signatures=True, begun=False),
    ),
    (
        r"gemini-3\..*",
        Facts(levels=_TO_HIGH, penalties=False, signatures=True, begun=False),
    ),
    (
        "gemini-4-hydrogen.*",
        Facts(
            levels=(*_TO_HIGH, "XHIGH"),
            penalties=False,
            samplers=False,
            signatures=True,
            begun=False,
        ),
    ),
    (
        "gemini-.*",
        Facts(levels=_TO_HIGH, penalties=False, samplers=False, signatures=True, begun=False),
    ),
)


def facts(model: str) -> Facts | None:
    """Those of this model; None where there is none of that name."""
    return next((known for glob, known in _MODELS if re.fullmatch(glob, model)), None)
