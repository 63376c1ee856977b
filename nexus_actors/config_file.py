"""Finds and reads the config file, and the data directory that it names.

Commands such as `nexus status`, which may run every few seconds, need nothing else of the settings.
To start fast they import only this module, so it imports only the standard library.
"""

import codecs
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CONFIG_VARIABLE: Final = "NEXUS_CONFIG"
DEFAULT_FILE: Final = Path("config/nexus.toml")
DEFAULT_DATA_DIR: Final = "~/.local/state/nexus"
DRAIN_TIMEOUT: Final = 30.0
"""The default of `[service] drain_timeout`, in seconds."""
LONGEST_DRAIN: Final = 86_400
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BEGINNING: Final = 64
"""The first bytes of a file, which show whether it is text."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file cannot be read as a config file."""

    found: str
    expected: str
    text: str = ""
    """The file's text, if it is UTF-8 but not valid TOML."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a command must know to talk to a running service."""

    data_dir: Path
    drain_timeout: float
    """Seconds."""


def find_file(
    path: Path | None, environ: Mapping[str, str], folder: Path | None = None
) -> Path | None:
    """The config file in force: `path`, else the file that NEXUS_CONFIG names, else
    `config/nexus.toml` in `folder` (default: the working directory) if it exists. None if there is
    none, so that only the defaults apply.
    """
    named = environ.get(CONFIG_VARIABLE, "").strip()
    if path is not None or named:
        return path or Path(named).expanduser()
    file = (Path() if folder is None else folder) / DEFAULT_FILE
    return file if file.is_file() else None


def sought(file: Path | None) -> str:
    """Where settings are from, for messages, and where no config was found. `file` is from
    `find_file`."""
    if file is not None:
        return f"the config {file}"
    return f"the defaults ({CONFIG_VARIABLE} is not set, and there is no ./{DEFAULT_FILE})"


def read_toml(file: Path) -> dict[str, Any] | Unreadable:
    """The parsed file, not validated."""
    text = read_text(file)
    if isinstance(text, Unreadable):
        return text
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found, expected = no_toml(str(error))
        return Unreadable(found, expected, text)
    except (RecursionError, ValueError):
        return Unreadable("too deep nesting, or too large a number", "TOML")


def read_text(file: Path) -> str | Unreadable:
    """The file's text, without a byte order mark."""
    try:
        given = file.read_bytes()
    except OSError as error:
        return Unreadable((error.strerror or "an unreadable file").lower(), "a readable TOML file")
    if given[:2] in _UTF_16 or b"\0" in given[:_BEGINNING]:
        what = "UTF-16" if given[:2] in _UTF_16 or b"\0" not in given[:1] else "a binary file"
        return Unreadable(f"{what}, not UTF-8", "a TOML file, saved as UTF-8")
    try:
        return given.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = given.count(b"\n", 0, error.start) + 1
        return Unreadable(f"bytes that are not UTF-8 on line {line}", "a TOML file, saved as UTF-8")


def no_toml(message: str) -> tuple[str, str]:
    """What was found and what was expected, from the parser's message. That names line and column,
    and quotes at most one character, so no secret.
    """
    what, _, where = message[:200].removesuffix(")").rpartition(" (at ")
    if "overwrite" in what or "twice" in what or "Cannot declare" in what:
        return f"no TOML at {where}: {what}", "each key, and each [table], once"
    expected = 'TOML: [table] on a line of its own, KEY = VALUE, text in quotes: name = "text"'
    return f"no TOML at {where}: {what}" if where else what, expected


def absolute(text: str, environ: Mapping[str, str]) -> Path | None:
    """The absolute path of a configured `data_dir`; `~` is HOME of the environment. None if the
    text cannot be a path. Raises RuntimeError if there is no home directory to be found.
    """
    if not text.strip() or "\0" in text:
        return None
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        text = f"{home.rstrip('/')}/{text[2:]}"  # two slashes would stay
    return Path(text).expanduser().absolute()


def read_place(
    path: Path | None, environ: Mapping[str, str] | None = None, *, folder: Path | None = None
) -> Place | None:
    """The same values as `load_settings` finds. None if one of them may be invalid: then only
    `load_settings` can say what is wrong. Mistakes elsewhere in the config are ignored.
    """
    environ = os.environ if environ is None else environ
    try:
        file = find_file(path, environ, folder)
        tables = {} if file is None else read_toml(file)
        service = {} if isinstance(tables, Unreadable) else tables.get("service", {})
        if isinstance(tables, Unreadable) or not isinstance(service, dict):
            return None
        data_dir = service.get("data_dir", DEFAULT_DATA_DIR)
        drain = service.get("drain_timeout", DRAIN_TIMEOUT)
        where = absolute(data_dir, environ) if isinstance(data_dir, str) else None
    except RuntimeError:  # there is no home directory
        return None
    if where is None or isinstance(drain, bool) or not isinstance(drain, int | float):
        return None
    return Place(where, drain) if 0 <= drain <= LONGEST_DRAIN and math.isfinite(drain) else None
