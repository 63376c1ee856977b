"""Options that many commands share, and loading of settings."""

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.report import CommandError

if TYPE_CHECKING:
    from nexus_actors.settings import Settings

ConfigPath = Annotated[
    Path | None,
    Parameter(
        name=["--config", "-c"],
        help="Config file. Default: NEXUS_CONFIG, else ./config/nexus.toml, else the defaults.",
    ),
]
AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="Print JSON on standard output.")
]
Yes = Annotated[bool, Parameter(name="--yes", negative="", help="Do not ask for confirmation.")]
OlderThan = Annotated[str | None, Parameter(help="An age: 90s, 30m, 12h or 7d.")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def age(text: str) -> float:
    """Parse the value of `--older-than` into seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if found is None:
        raise CommandError(
            f"--older-than: expected 90s, 30m, 12h or 7d, not {text}", exit_codes.USAGE
        )
    return float(found[1]) * _UNITS[found[2]]


def _finite(_type: object, seconds: float | None) -> None:
    """Also refuses NaN, which would mean to wait forever."""
    if seconds is not None and not 0 <= seconds < math.inf:
        raise ValueError("expected a finite number of seconds, 0 or more.")


Timeout = Annotated[
    float, Parameter(name="--timeout", help="Maximum seconds to wait.", validator=_finite)
]


def _no_option(_type: object, file: str) -> None:
    """`-` is allowed as a file, and with it the parser accepts any misspelt option as one."""
    if file.startswith("-") and file != "-":
        raise CommandError(
            f"Unknown option: {file}. A file of this name is ./{file}", exit_codes.USAGE
        )


def input_file(text: str) -> Parameter:
    """The parameter FILE of a command that also reads standard input. `text` is its help."""
    return Parameter(
        name="FILE",
        help=f"{text}; - is standard input.",
        allow_leading_hyphen=True,
        validator=_no_option,
    )


def read_settings(path: Path | None) -> "Settings":
    """The settings in force. Raises an error that lists every mistake."""
    from nexus_actors.settings import SettingsErrors, load_settings

    settings = load_settings(path, os.environ)
    if isinstance(settings, SettingsErrors):
        first, *others = map(str, settings.mistakes)
        raise CommandError(first, exit_codes.USAGE, details=others)
    return settings
