"""Mistakes in a config: where each is, what was found and what was expected.

A value that may be a secret is never shown, whatever is wrong with it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from nexus_actors.contract.json_text import format_path
from nexus_actors.settings.suggestions import VENDORS, nearest, suggested_value, unit

_FOUND_LENGTH: Final = 60
_ALSO: Final = 3
_OWN: Final = "Value error, "
_OF_ONE_FIELD = re.compile(r"([a-z_]+): (.+)", re.DOTALL)
"""A sentence of a validator that looked at all of a table, about one field of it."""
_SECRET = re.compile(r"key|token(?!s)|secret|password|passwd|auth|credential|header", re.IGNORECASE)
_URL_SECRET = re.compile(r"((?:password|passwd|token|key|secret)[^=&]*=)[^&#]*", re.IGNORECASE)
_NO_PORT = re.compile(r"^([^:/?]*:)(?!\d*(?:[/?,]|$)).*")
"""What stands after a colon and is no port: a password whose @HOST was forgotten."""
_SECTION: Final = re.compile(r"\w+")
_WORD: Final = re.compile(r"[A-Za-z_]{1,20}")
_KEY_AS_NAME: Final = re.compile(r"\b(sk|pk|gsk|xai|nvapi|pplx)[-_][\w-]{8,}|\bAIza[\w-]{8,}")
HIDDEN: Final = "a value that is not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing to fix."""

    path: str
    """`providers.groq.pool_size`, `routes[2].models[0]`, or an environment variable's name."""
    found: str
    """Bounded, on one line, without secrets."""
    expected: str
    source: str
    """The file's path, `environment` or `built-in`."""
    nearest: str | None = None
    """A known name that may have been meant."""
    line: int | None = None
    """Of the file, where the setting stands."""

    def __str__(self) -> str:
        return f"{self.place}: found {self.found}, {self.fix}"

    @property
    def place(self) -> str:
        """The file, its line, the setting."""
        where = self.source if self.line is None else f"{self.source}:{self.line}"
        return where + (f": {self.path}" if self.path else "")

    @property
    def fix(self) -> str:
        """What should stand there."""
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"expected {self.expected}{hint}"


@dataclass(frozen=True, slots=True)
class SettingsErrors:
    """Every mistake found; `str` of it is one line each."""

    mistakes: tuple[Mistake, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.mistakes))


@dataclass(slots=True)
class Notes:
    """Mistakes and warnings as they are found while one config is read."""

    source: str
    secrets: Path | None = None
    """The folder beside the config with the files of its secrets, where systemd hands over none."""
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spoilt: set[str] = field(default_factory=set)
    """Providers that the config has, though something is wrong with them: reported once, there."""
    unknown: dict[str, list[str]] = field(default_factory=dict)
    """Providers that it does not have, and where they are named."""
    places: Mapping[str, str] = field(default_factory=dict)
    """In which section a setting belongs that stands in another."""
    written: dict[str, str] = field(default_factory=dict)
    """Sections that stand in the file under a misspelt name, and that name."""

    def add(self, path: str, found: str, expected: str, nearest: str | None = None) -> None:
        """Note a mistake in the file."""
        section = _SECTION.match(path)
        if section is not None and section[0] in self.written:
            path = self.written[section[0]] + path[section.end() :]
        path = _KEY_AS_NAME.sub("***", path)  # a key that stands where a name belongs
        self.mistakes.append(
            Mistake(path=path, found=found, expected=expected, source=self.source, nearest=nearest)
        )

    def add_unknown(self, provider: str, path: str) -> None:
        """A provider is named that is not among those that can be used."""
        if provider not in self.spoilt:
            self.unknown.setdefault(provider, []).append(path)

    def tell_unknown(self, known: Iterable[str]) -> None:
        """Each of them once, wherever it is named."""
        names = list(known)
        nameless = any(it.path == "providers" for it in self.mistakes)
        for provider, paths in self.unknown.items():
            if nameless and nearest(provider, names) is None:
                continue  # perhaps the one whose name is missing
            found = f"no provider {shown(provider)}{also(paths[1:])}"
            before = " before the first /" if paths[0].startswith("routes") else ""
            expected = f"one of {', '.join(names)}{before}"
            vendor = VENDORS.get(provider.lower())
            close = vendor if vendor in names else nearest(provider, names)
            self.add(paths[0], found, expected, close)

    def add_unknown_setting(self, path: str, name: str, known: Iterable[str]) -> None:
        """A setting that its section does not have; where another has it, that is said."""
        names = list(known)
        close = nearest(name, names)
        place = self.places.get(name)
        if place is not None and (close is None or nearest(name, names, cutoff=0.85) is None):
            self.add(path, "a setting of another section", f"it in {place}")
        else:
            self.add(path, "an unknown setting", f"one of {', '.join(names)}", close)


def also(paths: Sequence[str]) -> str:
    """Where else the same is wrong."""
    more = f" and {len(paths) - _ALSO} more" if len(paths) > _ALSO else ""
    return f" (also in {', '.join(paths[:_ALSO])}{more})" if paths else ""


def to_json(table: Mapping[str, Any]) -> str:
    """A TOML table as JSON; dates become text, infinities stay what no setting accepts."""
    return json.dumps(table, default=str)


def is_secret_name(name: str) -> bool:
    """Whether a setting of this name may hold a secret."""
    return _SECRET.search(name) is not None


def shown(value: Any, name: str = "") -> str:
    """A value as found under the key `name`: short, on one line, no secret."""
    if is_secret_name(name):
        return HIDDEN if value not in ("", None) else json.dumps(value)
    if isinstance(value, str) and ("://" in value or "url" in name.lower()):
        value = mask_url(value)
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return _list_of(len(value)) if value else "an empty list"
    text = _KEY_AS_NAME.sub("***", json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _FOUND_LENGTH else text[: _FOUND_LENGTH - 1] + "…"


def _list_of(count: int) -> str:
    return f"a list of {count} value{'' if count == 1 else 's'}"


def mask_url(url: str) -> str:
    """A URL with `***` for its password, also one in the query; `***` for what is hardly a URL."""
    if not url:
        return url
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    # By hand, and rather too much than too little: what is wrong with the URL may be just what
    # makes a parser refuse it, such as a password with ? or @ in it.
    credentials, at, place = rest.rpartition("@")
    if at:
        user, colon, _password = credentials.partition(":")
        rest = f"{user}:***@{place}" if colon else rest
    else:
        rest = _NO_PORT.sub(r"\1***", rest)
    return f"{scheme}://" + _URL_SECRET.sub(r"\1***", rest)


def add_validation_errors(
    notes: Notes, error: ValidationError, model: type[BaseModel], prefix: str
) -> None:
    """Note each of pydantic's errors about one section or provider."""
    schema = model.model_json_schema()
    errors = error.errors(include_url=False)
    misspelt = set()
    for item in errors:
        if item["type"] == "extra_forbidden":
            location = item["loc"]
            above = _schema_at(schema, location[:-1], schema) or {}
            known, name = sorted(above.get("properties", {})), str(location[-1])
            misspelt.add((*location[:-1], nearest(name, known)))
            notes.add_unknown_setting(format_path((prefix, *location)), name, known)
    for item in errors:
        if item["type"] == "missing" and item["loc"] in misspelt:
            continue  # it is there, under a name that is reported
        if item["type"] != "extra_forbidden":
            _add_wrong_value(notes, item, schema, prefix)


def _add_wrong_value(
    notes: Notes, item: Mapping[str, Any], schema: Mapping[str, Any], prefix: str
) -> None:
    location, message, given = item["loc"], item["msg"], item["input"]
    # A validator's own sentence says more than the schema.
    own = item["type"] == "value_error" or not location
    of_one = _OF_ONE_FIELD.fullmatch(message.removeprefix(_OWN)) if own else None
    if of_one is not None and (
        not location or (isinstance(given, Mapping) and of_one[1] not in given)
    ):
        location, message = (*location, of_one[1]), of_one[2]
        given = given.get(of_one[1]) if isinstance(given, Mapping) else given
    wanted = None if own else _schema_at(schema, location, schema)
    name = ".".join(map(str, location))
    missing = item["type"] == "missing" or given is None
    choices = _resolved(wanted, schema).get("enum", ()) if wanted else ()
    # Instead of one of a few words hardly anybody writes a secret, and if so, no short word.
    is_word = bool(choices) and isinstance(given, str) and _WORD.fullmatch(given) is not None
    found = "nothing" if missing else shown(given, "" if is_word else name)
    counted = unit(name) if wanted is not None and _is_number(wanted) else None
    expected = _expected(wanted, message) + (f" ({counted})" if counted else "")
    close = nearest(given, map(str, choices)) if isinstance(given, str) and choices else None
    if wanted is not None and close is None and not is_secret_name(name):
        close = suggested_value(wanted, given, name)
    notes.add(format_path((prefix, *location)), found, expected, close)


def _is_number(schema: Mapping[str, Any]) -> bool:
    kinds = [it for it in schema.get("anyOf", [schema]) if it.get("type") != "null"]
    return len(kinds) == 1 and kinds[0].get("type") in ("integer", "number")


def _schema_at(
    schema: Mapping[str, Any], location: Sequence[int | str], root: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The part of a JSON schema that speaks of this place; None where pydantic's place is none of
    the config's, such as a member of a union."""
    schema = _resolved(schema, root)
    if not location:
        return schema
    name, rest = location[0], location[1:]
    if isinstance(name, str):
        below = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    else:
        items: Sequence[Any] = schema.get("prefixItems", ())
        below = items[name] if name < len(items) else schema.get("items")
    return _schema_at(below, rest, root) if isinstance(below, Mapping) else None


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference stands for; of what may be null, what it is otherwise."""
    choices: Sequence[Mapping[str, Any]] = schema.get("anyOf", ())
    if len(choices) == 2 and choices[1] == {"type": "null"}:
        return _resolved(choices[0], root)
    if "$ref" not in schema:
        return schema
    defined: Mapping[str, Any] = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return defined


def _expected(schema: Mapping[str, Any] | None, message: str) -> str:
    """What a setting takes, from its JSON schema; else pydantic's own sentence."""
    described = None if schema is None else _describe(schema)
    if described is not None:
        return described
    for prefix in (_OWN, "Input should be ", "expected "):
        message = message.removeprefix(prefix)
    message = message.replace("Field required", "a value")
    return f"a value that {message}" if message.startswith("must ") else message


def _describe(schema: Mapping[str, Any]) -> str | None:
    match schema:
        case {"expected": str(text)}:
            return text
        case {"enum": list(values)}:
            return f"one of {', '.join(map(str, values))}"
        case {"anyOf": list(choices)}:
            kinds = [choice for choice in choices if choice.get("type") != "null"]
            return _describe(kinds[0]) if len(kinds) == 1 else None
        case {"type": "integer" | "number" as kind}:
            return _describe_number("a whole number" if kind == "integer" else "a number", schema)
        case {"type": "object"}:
            return "a table"
        case {"type": "array", "prefixItems": list(items)}:
            return _list_of(len(items))
        case {"type": "array"}:
            return "a list"
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "string"} if "pattern" not in schema:
            return "text"
        case _:
            return None


def _describe_number(noun: str, schema: Mapping[str, Any]) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high = schema.get("maximum")
    start = (
        f" from {low:g}" if low is not None else f" above {above:g}" if above is not None else ""
    )
    end = "" if high is None else f" to {high:.10g}" if low is not None else f" up to {high:.10g}"
    return f"{noun}{start}{end}"
