"""Where a provider's keys come from: environment variables, and files that only we can read."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from nexus_actors.settings.model import ProviderKey
from nexus_actors.settings.secret_files import read_secret

_PLACEHOLDER: Final = re.compile(
    r"""\.\.\.|^<.*>$|^\[.*\]$|^\$\{?\w|^\{\{|^%\w+%$
    | change[-_]?(me|this|it)\b | replace[-_]?(me|this|with) | placeholder
    | \b(your|my|the)[-_]([a-z0-9]+[-_]){0,3}?(api[-_]?)?(key|token|secret)
    | (insert|paste|put|enter|add|fill)[-_]([a-z0-9]+[-_]){0,4}(key|token|here)
    | ^(api[-_]?)?(key|token|secret|password|passwd)$ | ^(?-i:([A-Z0-9]+_)+(KEY|TOKEN|SECRET))$
    | ^(todo|fixme|none|null|nil|undefined|n/a|tbd)$
    | ^[a-z]{0,4}[-_]?([a-z]{2,5}[-_])*(x{3,}|\*{3,}|\.{2,}|_{3,}|-{3,})[-x*._]*$""",
    re.IGNORECASE | re.VERBOSE,
)
"""What stands in examples where a key belongs: KEY, sk-..., changeme, your-api-key, sk-xxxx."""
_FORMS: Final = (
    (re.compile(r"authorization\s*:|[\w-]*(api|key|auth)[\w-]*\s*:\s", re.I), "is a header's line"),
    (re.compile(r"bearer(\s|$)", re.I), 'begins with "Bearer", which is added when it is sent'),
    (
        re.compile(
            r"(export\s+|set\s+|\$env:)?([A-Z_][A-Z0-9_]*|(?i:\w*(key|token|secret)\w*))\s*=\s*[^=\s]"
        ),
        "is NAME=VALUE, pasted whole: the key is what stands after the =",
    ),
    (re.compile(r"[a-z]+://", re.I), "is a URL"),
    (
        re.compile(
            r"(sk|pk|gsk|xai|r8|hf|csk|nvapi|pplx|AIza|AIzaSy)([-_](proj|ant|or|svcacct|admin|live|test|"
            r"api\d*|v\d+))*[-_]?$"
        ),
        "is only the beginning of a key",
    ),
)
"""What is pasted in place of a key: more than it, or less."""
_KEY: Final = re.compile(r"(sk|pk|gsk|xai|r8|hf|csk|nvapi|pplx)[-_].|AIza.|eyJ.")
"""How the keys of the known providers begin."""
_DRAWN: Final = re.compile(r"(?=.*\d.*\d.*\d)[A-Za-z0-9+]{20,}={0,2}|[0-9a-fA-F]{32,}")
"""What nobody would call a variable or a file."""
_Names = str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """The keys there are; none where none is named."""

    keys: tuple[ProviderKey, ...]
    missing: tuple[str, ...]
    """Why others that are named cannot be used."""


@dataclass(frozen=True, slots=True)
class LeftOutBecause:
    """Keys are named, and none can be used."""

    why: str
    wrong: tuple[tuple[str, str], ...] = ()
    """Of those that are set, the name, and what is wrong with it: somebody meant to give a key."""


def read_keys(
    variables: _Names, files: _Names, environ: Mapping[str, str], beside: Path | None = None
) -> FoundKeys | LeftOutBecause:
    """Read every key that is named; a relative file as `read_secret` has it. What is wrong is noted
    without a character of a key."""
    keys: list[ProviderKey] = []
    missing: list[str] = []
    wrong: list[tuple[str, str]] = []
    for name, text in _texts(variables, files, environ, beside):
        if not isinstance(text, bytes):
            missing.append(text)
            continue
        key = text.decode("utf-8", "replace").strip()
        if (why := _wrong(key)) is not None:
            missing.append(f"{name} {why}")
            wrong.append((name, why))
        elif key not in [known.secret.get_secret_value() for known in keys]:
            keys.append(ProviderKey(name, SecretStr(key)))
    if missing and not keys:
        return LeftOutBecause("; ".join(missing), tuple(wrong))
    return FoundKeys(tuple(keys), tuple(missing))


def names_of_keys(variables: _Names, files: _Names) -> tuple[str, ...]:
    """The variables and files that are named."""
    return (*_each(variables), *_each(files))


def _wrong(key: str) -> str | None:
    """Why this is no key; None where it may be one."""
    if not key.strip("\"'`"):
        return "is empty"
    if key[0] in "\"'`" or key[-1] in "\"'`":
        return "has quotation marks around it"
    odd = _odd_characters(key)
    for form, why in _FORMS:
        if form.match(key):
            more = _odd_characters(key.replace(" ", ""))
            return f"{why} ({more})" if more else why
    if odd:
        return odd
    return "is a placeholder, not a key" if _PLACEHOLDER.search(key) else None


def _odd_characters(key: str) -> str | None:
    """What no key has in it; which one is not shown, as it is a part of the key."""
    if not key.isascii():
        return "has characters that no key has: one that is not ASCII"
    if not key.isprintable():
        return "has characters that no key has: a line end, tab or other control character"
    if " " in key:
        return "has characters that no key has: a blank"
    if not {'"', "'", "`"}.isdisjoint(key):
        return "has characters that no key has: quotation marks"
    if "," in key or ";" in key:
        return "has characters that no key has: a comma; each of several has a name of its own"
    return None


def key_pasted(text: str) -> str | None:
    """What is wrong with a text that stands where a name or a file of a key belongs, and looks like
    the key itself; None where it does not."""
    text = text.strip()
    for form, why in _FORMS:
        if form.match(text):
            return why
    known = _KEY.match(text.lstrip("\"'`")) is not None or not text.isascii()
    drawn = _DRAWN.fullmatch(text) is not None and any(map(str.isalpha, text))
    if not known and not drawn:
        return None
    odd = _odd_characters(text.strip("\"'`"))
    return f"looks like the key itself, and {odd}" if odd else "looks like the key itself"


def _texts(
    variables: _Names, files: _Names, environ: Mapping[str, str], beside: Path | None
) -> Iterator[tuple[str, bytes | str]]:
    """Each name with what is there, or why nothing is."""
    for name in _each(variables):
        text = environ.get(name, "")
        # In a file of variables, and where one is handed on, NAME= is how none is said.
        yield name, text.encode("utf-8", "surrogateescape") if text else f"{name} is not set"
    for name in _each(files):
        yield name, read_secret(name, environ, beside)


def _each(names: _Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()
