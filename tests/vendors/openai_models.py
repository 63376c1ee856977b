"""What OpenAI's models take, as the vendor's pages say.

https://developers.openai.com/api/docs/guides/reasoning, .../guides/latest-model,
.../guides/deployment-checklist, .../docs/models (a page a model)
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

LOW_TO_HIGH: Final = ("low", "medium", "high")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One model."""

    efforts: tuple[str, ...] = ()
    """Empty: it does not reason."""
    default: str | None = None
    samplers: Literal["always", "at effort none", "never"] = "always"
    verbosity: tuple[str, ...] = ("medium",)
    parallel: bool = True
    most: int | None = None
    """Output tokens."""
    chat: Literal["yes", "no tools while it reasons", "no"] = "yes"
    audio: bool = False
    optional_only: bool = False
    """`future-model-9`: everybody's first guess about it is wrong."""

    @property
    def reasons(self) -> bool:
        return bool(self.efforts)


_VERBOSITY: Final = ("low", "medium", "high")
_TO_XHIGH: Final = (*LOW_TO_HIGH, "xhigh")
_TO_MAX: Final = (*_TO_XHIGH, "max")
_IN_CHAT: Final = "no tools while it reasons"

_MODELS: Final[tuple[tuple[str, Facts], ...]] = (
    ("future-model-9", Facts(samplers="never", verbosity=_VERBOSITY, optional_only=True)),
    ("gpt-4o.*audio.*|gpt-audio.*", Facts(most=16_384, audio=True)),
    # https://developers.openai.com/api/docs/guides/tools-web-search
    ("gpt-4o.*search.*|gpt-5-search-api.*", Facts(samplers="never", parallel=False)),
    ("gpt-4o.*|chatgpt-4o.*", Facts(most=16_384)),
    (r"gpt-4\.1.*", Facts(most=32_768)),
    ("gpt-[34].*", Facts()),
    # https://developers.openai.com/api/docs/models/gpt-5-chat-latest
    ("gpt-5-chat.*", Facts(most=16_384)),
    (
        r"gpt-5\.\d-chat.*",
        Facts(efforts=("medium",), default="medium", samplers="never", most=16_384),
    ),
    (
        "gpt-5-pro.*",
        Facts(
            efforts=("high",),
            default="high",
            samplers="never",
            verbosity=_VERBOSITY,
            most=272_000,
            chat="no",
        ),
    ),
    (
        r"gpt-5\.\d-pro.*",
        Facts(
            efforts=("medium", "high", "xhigh"),
            default="medium",
            samplers="never",
            verbosity=_VERBOSITY,
            most=128_000,
            chat="no",
        ),
    ),
    (
        r"gpt-5\.1-codex-max.*|gpt-5\.[23]-codex.*",
        Facts(
            efforts=_TO_XHIGH,
            default="medium",
            samplers="never",
            verbosity=_VERBOSITY,
            most=128_000,
            chat="no",
        ),
    ),
    (
        r"gpt-5(\.1)?-codex.*",
        Facts(
            efforts=LOW_TO_HIGH,
            default="medium",
            samplers="never",
            verbosity=_VERBOSITY,
            most=128_000,
            chat="no",
        ),
    ),
    (
        r"gpt-5(-mini|-nano)?(-20.*)?",
        Facts(
            efforts=("minimal", *LOW_TO_HIGH),
            default="medium",
            samplers="never",
            verbosity=_VERBOSITY,
            most=128_000,
        ),
    ),
    (
        r"gpt-5\.1.*",
        Facts(
            efforts=("none", *LOW_TO_HIGH),
            default="none",
            samplers="at effort none",
            verbosity=_VERBOSITY,
            most=128_000,
        ),
    ),
    (
        r"gpt-5\.2.*",
        Facts(
            efforts=("none", *_TO_XHIGH),
            default="none",
            samplers="at effort none",
            verbosity=_VERBOSITY,
            most=128_000,
        ),
    ),
    (
        r"gpt-5\.4.*",
        Facts(
            efforts=("none", *_TO_XHIGH),
            default="none",
            samplers="at effort none",
            verbosity=_VERBOSITY,
            most=128_000,
            chat=_IN_CHAT,
        ),
    ),
    (
        r"gpt-5\.5.*",
        Facts(
            efforts=("none", *_TO_XHIGH),
            default="medium",
            samplers="at effort none",
            verbosity=_VERBOSITY,
            most=128_000,
            chat=_IN_CHAT,
        ),
    ),
    (
        r"gpt-5\.6.*|gpt-6-(sol|luna).*|gpt-6\.1-terra.*",
        Facts(
            efforts=("none", *_TO_MAX),
            default="medium",
            samplers="at effort none",
            verbosity=_VERBOSITY,
            most=128_000,
            chat=_IN_CHAT,
        ),
    ),
    (
        r"gpt-[6-9].*",
        Facts(
            efforts=_TO_MAX,
            default="medium",
            samplers="never",
            verbosity=_VERBOSITY,
            most=128_000,
            chat=_IN_CHAT,
        ),
    ),
    (
        r"o\d-pro.*|o\d.*-deep-research.*",
        Facts(
            efforts=LOW_TO_HIGH,
            default="medium",
            samplers="never",
            parallel=False,
            most=100_000,
            chat="no",
        ),
    ),
    (
        r"o\d.*",
        Facts(
            efforts=LOW_TO_HIGH, default="medium", samplers="never", parallel=False, most=100_000
        ),
    ),
)
_ANY: Final = Facts(verbosity=_VERBOSITY)
"""Of a deployment's own name nothing is known."""


def facts(model: str) -> Facts:
    """Those of this model, fine-tuned or not."""
    name = model.split(":")[1] if model.startswith("ft:") else model
    return next((known for glob, known in _MODELS if re.fullmatch(glob, name)), _ANY)
