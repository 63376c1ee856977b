"""Suggests what a wrong name or value was probably meant to be. Suggestions are shown, never
applied."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_LONGEST: Final = 60
"""The most characters of a text that are compared."""
_UNITS: Final = {
    re.compile(r"(?:timeout|interval|wait|latency|seconds(?:_max)?)$"): "seconds",
    re.compile(r"_hours$"): "hours",
    re.compile(r"_days$"): "days",
    re.compile(r"_megabytes$"): "megabytes",
    re.compile(r"dollars$"): "US dollars",
    re.compile(r"_dollars_per_million$"): "US dollars",
    re.compile(r"_price$"): "US dollars",
    re.compile(r"(?:_tokens|context_window)$"): "tokens",
}
_MEASURES: Final[Mapping[str, Mapping[str, float]]] = {
    "seconds": {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400},
    "hours": {"min": 1 / 60, "h": 1, "d": 24},
    "days": {"h": 1 / 24, "d": 1, "w": 7},
    "megabytes": {"kb": 0.001, "m": 1, "mb": 1, "mib": 1, "g": 1000, "gb": 1000, "gib": 1024},
    "US dollars": {"$": 1, "usd": 1},
}
_WORDS: Final = re.compile(r"(second|minute|hour|day|week)s?$")
_SHORT: Final = {"second": "s", "minute": "min", "hour": "h", "day": "d", "week": "w"}
_MEASURE: Final = re.compile(r"(\$?)\s*(-?\d[\d_]*(?:\.\d+)?)\s*([a-z$]*)")
_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")


VENDORS: Final[Mapping[str, str]] = {
    "google": "gemini",
    "vertex": "gemini",
    "claude": "anthropic",
    "gpt": "openai",
    "chatgpt": "openai",
    "grok": "xai",
}
"""Names by which people call providers → the provider."""


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name most similar to `name`, if any is similar enough. Case is ignored."""
    names = {it.lower(): it for it in reversed(list(known))}
    matches = difflib.get_close_matches(name[:_LONGEST].strip().lower(), names, 1, cutoff)
    return names[matches[0]] if matches else None


def unit(name: str) -> str | None:
    """The unit of a setting's number, judged by the setting's name."""
    return next((it for ending, it in _UNITS.items() if ending.search(name)), None)


def suggested_value(schema: Mapping[str, Any], given: Any, name: str) -> str | None:
    """How to write a value of the wrong type correctly; None if there is no suggestion."""
    kinds = [it for it in schema.get("anyOf", [schema]) if it.get("type") != "null"]
    kind = kinds[0].get("type") if len(kinds) == 1 else None
    if kind == "array":
        return (
            f"[{json.dumps(given)}]" if isinstance(given, str) and len(given) < _LONGEST else None
        )
    if kind == "boolean":
        return _truth(given)
    if kind not in ("integer", "number"):
        return None
    if isinstance(given, str):
        return _number(given, name, whole=kind == "integer")
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if kind == "integer" and isinstance(given, float) and given.is_integer():
        return f"{given:.0f}"
    most = kinds[0].get("maximum")
    if unit(name) == "seconds" and most is not None and most < given <= 1000 * most:
        return f"{given / 1000:g}, as it counts seconds"
    return None


def _truth(given: Any) -> str | None:
    """A boolean in quotes, or in words such as yes and on."""
    word = str(given).strip().lower()[:_LONGEST]
    quoted = " without quotes" if isinstance(given, str) else ""
    return f"true{quoted}" if word in _TRUE else f"false{quoted}" if word in _FALSE else None


def _number(text: str, name: str, *, whole: bool) -> str | None:
    """A number in quotes, perhaps with its unit."""
    if len(text) > _LONGEST:
        return None
    plain = _WORDS.sub(lambda it: _SHORT[it[1]], text.strip().lower())
    if (match := _MEASURE.fullmatch(plain)) is None:
        return None
    before, digits, after = match.groups()
    value = float(digits.replace("_", ""))
    if before or after:
        measure = _MEASURES.get(unit(name) or "", {})
        if (times := measure.get(before or after)) is None:
            return None
        value *= times
    elif not whole or "." not in digits:
        return f"{digits} without quotes"
    return f"{value:.10g} without quotes" if not whole or value.is_integer() else None
