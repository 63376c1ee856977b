"""Where a config is no TOML: the line, what was read there, and what TOML wants.

The parser stops at the first mistake. What stands wrong within one line is taken out, and the rest
is read again, so that all such lines are reported at once.
"""

import json
import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from nexus_actors.config_file import no_toml
from nexus_actors.settings.mistakes import is_secret_name

_MOST: Final = 10
"""The most slips that are reported at once."""
_LONGEST: Final = 48
_LOOKED_AT: Final = 200
"""Characters of a line: it may be as long as a file."""
_PLACE: Final = re.compile(r"\(at line (\d+), column \d+\)$")
_LINE: Final = re.compile(
    r"\s*(?P<key>[^\s=:\[\]{}#]+)\s*(?P<sign>:=|=|:|)\s*(?P<value>.*?)\s*(?:#.*)?$"
)
_HEADER: Final = re.compile(r"(?P<open>\[\[?)(?P<names>[^\[\]#]+)(?P<close>\]\]?)\s*(#.*)?")
_QUOTES: Final = "quotes around a name with other signs than letters, digits, - and _"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SECRET: Final = re.compile(r"://|@|(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[^\s/.]{16,}|\b(sk|gsk|xai)[-_]")
_WORDS: Final = {
    "true": "true, in lower-case letters",
    "yes": "true",
    "on": "true",
    "false": "false, in lower-case letters",
    "no": "false",
    "off": "false",
    **dict.fromkeys(("none", "null", "nil"), "no line at all for what is not set"),
}
_NUMBER: Final = re.compile(r"[-+]?\d[\d_]*(\.\d+)?")
_WITH_UNIT: Final = re.compile(r"([-+]?\d[\d_]*(?:\.\d+)?)\s*([A-Za-z%$€]+)")


@dataclass(frozen=True, slots=True)
class Slip:
    """One of them."""

    found: str
    expected: str
    line: int | None = None
    instead: str | None = None
    """What can stand there, so that the other lines are read all the same; None: nothing can."""


def toml_slips(text: str, known: Collection[str]) -> tuple[Slip, ...]:
    """Those of a text, `_MOST` of them; none if it is TOML, or nobody knows where it is none.
    `known`: the settings whose values can be shown, if they look like no secret.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    slips: list[Slip] = []
    while text and len(slips) < _MOST:
        try:
            tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError as error:
            slip = _slip(str(error), lines, known)
        except (RecursionError, ValueError):
            break
        else:
            break
        if slip.line is None or not lines[slip.line - 1].strip():
            break
        slips.append(slip)
        if slip.instead is None:
            break
        lines[slip.line - 1] = slip.instead
    return tuple(slips)


def _slip(message: str, lines: Sequence[str], known: Collection[str]) -> Slip:
    found, expected = no_toml(message)
    place = _PLACE.search(message)
    number = int(place[1]) if place else None
    if number is None:  # at the end of the document
        number = next((i for i in range(len(lines), 0, -1) if lines[i - 1].strip()), None)
    if number is None or number > len(lines):
        return Slip(found, expected)
    line = lines[number - 1][:_LOOKED_AT]
    where = found.partition(": ")[0]
    # What stands below a wrong header stands below another for now.
    instead = f"[nexus_line_{number}]" if line.lstrip().startswith("[") else ""
    if "once" in expected and (twice := _twice(number, lines)) is not None:
        return Slip(f"{where}: {twice}", expected, number, instead)
    if "Unclosed" in message:
        return Slip(found, "] or } at a list's or table's end, commas between its items", number)
    if (wrong := _wrong_line(line.strip(), message)) is not None:
        is_json = line.lstrip().startswith("{")
        return Slip(f"{where}: {_read(line, known)}", wrong, number, None if is_json else instead)
    match = _LINE.fullmatch(line)
    wrong = (
        None if match is None else _wrong_pair(match["key"], match["sign"], match["value"], message)
    )
    if wrong is None:
        return Slip(found, expected, number)
    return Slip(f"{where}: {_read(line, known)}", wrong, number, instead)


def _read(line: str, known: Collection[str]) -> str:
    """The line as it can be shown: a value that may be a secret is left out."""
    match, text = _LINE.fullmatch(line), line.strip()
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    if text.startswith("[") and not _SECRET.search(line):
        return text
    if match is None or match["key"] not in known:
        return "this line"
    hidden = is_secret_name(match["key"]) or "url" in match["key"] or _SECRET.search(match["value"])
    return f"{match['key']} and a value that is not shown" if hidden else text


def _twice(number: int, lines: Sequence[str]) -> str | None:
    """What stands on this line, and on an earlier one."""
    line = lines[number - 1].strip()
    earlier = range(number - 1, 0, -1)
    if line.startswith("["):
        name = re.sub(r"[\[\]\s]|#.*", "", line)
        for at in earlier:
            other = lines[at - 1].strip()
            if other.startswith("[") and re.sub(r"[\[\]\s]|#.*", "", other) == name:
                return f"[{name}] stands on line {at} already"
        return None
    key = line.partition("=")[0].strip()
    for at in earlier:
        other = lines[at - 1].strip()
        if other.startswith("["):
            return None
        if other.partition("=")[0].strip() == key and "=" in other:
            return f"{key} stands on line {at} already"
    return None


def _wrong_line(line: str, message: str) -> str | None:
    """Of what is no KEY = VALUE."""
    if line.startswith(("//", ";", "--", "/*", "!", "%")):
        return "# before a comment"
    if line.startswith("{"):
        return "TOML, which is no JSON: [table] on a line of its own, then KEY = VALUE lines"
    if line.startswith("["):
        if (quoted := _quoted_header(line)) is not None:
            return quoted
        return f"[name], or [[routes]], alone on the line: {message.partition(' (at')[0].lower()}"
    if line.lower().startswith("export "):
        return "KEY = VALUE without export; variables belong into the environment"
    return None


def _quoted_header(line: str) -> str | None:
    """Of a header whose name wants quotes, or another name; None of any other."""
    match = _HEADER.fullmatch(line)
    if match is None or _SECRET.search(line) or len(line) > _LONGEST:
        return None
    names = match["names"].split(".")
    if "models" in names[:-1]:  # whose names have dots
        at = names.index("models") + 1
        names[at:] = [".".join(names[at:])]
    odd = [it for it in names if not _BARE.fullmatch(it.strip()) and it.strip()[:1] not in "\"'"]
    if not odd:
        return None
    if names[0] == "providers" and odd == names[1:]:
        name = re.sub(r"[^a-z0-9_-]+", "-", odd[0].lower()).strip("-_") or "NAME"
        return f"{_QUOTES}; a provider's name has no others: [providers.{name}]"
    whole = ".".join(json.dumps(it.strip()) if it in odd else it for it in names)
    return f"{_QUOTES}: {match['open']}{whole}{match['close']}"


def _wrong_pair(key: str, sign: str, value: str, message: str) -> str | None:
    if sign != "=" or "after a key" in message:
        return f"a = between name and value: {_plain(key)} = VALUE" if value else "KEY = VALUE"
    if not value:
        return "a value after the =, or no such line"
    if re.search(r"[\u00ab\u00bb\u2018-\u201f]", value):
        return 'straight quotation marks around text: "text"'
    if value[0] in "\"'":
        return _wrong_text(value, message)
    if (word := _WORDS.get(value.lower())) is not None:
        return word
    if value[-1] in ";," and value[:-1].strip():
        return f"no {value[-1]} at the end of the line"
    if (number := _number(value)) is not None:
        return number
    if value[0] in "[{":
        return None
    return f'text in quotation marks: {_plain(key)} = "text"'


def _wrong_text(value: str, message: str) -> str | None:
    if "escape" in message.lower() or ("\\" in value and value[0] == '"'):
        return r"text with \ in single quotation marks: 'C:\folder'"
    if value.count(value[0]) % 2:
        return f"the closing {value[0]} at the text's end"
    if value[-1] in ";,":
        return f"no {value[-1]} at the end of the line"
    return None


def _number(value: str) -> str | None:
    if (match := _WITH_UNIT.fullmatch(value)) is not None:
        return f"a number without its unit {match[2]}"
    plain = value.replace(",", "").replace("'", "").replace(" ", "")
    if value[:1] == "." or value[-1:] == ".":
        return "digits on both sides of the point: 0.5"
    if _NUMBER.fullmatch(plain):
        if re.match(r"[-+]?0\d", plain):
            return "a number without zeros before it"
        if plain != value:
            return f"{plain}: digits with no sign between them but _"
    return None


def _plain(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key) and not _SECRET.search(key) else "KEY"
