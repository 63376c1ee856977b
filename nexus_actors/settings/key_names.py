"""`api_key_env`, `api_key_file`, and what is written in their place: names of keys, never keys.

Whoever puts a key itself there must not find it in a log: what stands there is not shown.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.settings.keys import key_pasted
from nexus_actors.settings.mistakes import HIDDEN, Notes

_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_NAME_OF_KEY: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_(KEY|TOKEN|SECRET)(_\d+)?")
_INLINE: Final = re.compile(r"(\w*[_-])?(api[_-]?)?(key|token|secret|password)", re.IGNORECASE)
"""What settings are called that would hold the key itself."""
_FIX: Final = (
    "no key in this file: put it into a variable, and name that in api_key_env,"
    " or into a file of its own, and name that in api_key_file"
)
_VARIABLES: Final = "the name of an environment variable (A-Z, 0-9, _), not the key itself"


def checked_names(table: Mapping[str, Any], path: str, notes: Notes) -> dict[str, Any]:
    """The table without what is wrong in it about keys, which is then in `notes`."""
    checked = dict(table)
    for name in [it for it in table if _INLINE.fullmatch(it) and it not in notes.places]:
        given = checked.pop(name)
        if isinstance(given, str) and _NAME_OF_KEY.fullmatch(given.strip().lstrip("$")):
            found, expected = "the name of a variable", "it under the name api_key_env"
            notes.add(f"{path}.{name}", found, expected, "api_key_env")
        else:
            form = key_pasted(given) if isinstance(given, str) else None
            notes.add(f"{path}.{name}", _found(form), _FIX)
    for name, wrong in (("api_key_env", _wrong_variable), ("api_key_file", _wrong_file)):
        given = checked.get(name) or None
        checked[name] = given
        each = given if isinstance(given, list) else [] if given is None else [given]
        for it in each:
            problem = wrong(it)
            if problem is not None:
                notes.add(f"{path}.{name}", *problem)
                checked[name] = None
                break
    return checked


def _found(form: str | None) -> str:
    return HIDDEN if form is None else f"{HIDDEN}: it {form}"


def _wrong_variable(given: Any) -> tuple[str, str, str | None] | None:
    """Found, expected, and what may have been meant; None for a name."""
    if not isinstance(given, str):
        return HIDDEN, f"{_VARIABLES}, or a list of such names", None
    if _NAME_OF_KEY.fullmatch(given):
        return None
    if re.fullmatch(r"\$\{?[A-Z_][A-Z0-9_]*\}?|%[A-Z_][A-Z0-9_]*%", given):
        return _found("has a $ or % around the name"), "the name alone, as OPENAI_API_KEY", None
    if re.match(r"[~.]{0,2}/", given):
        return _found("is a file's name"), _VARIABLES, "api_key_file"
    form = key_pasted(given)
    if form is None and _VARIABLE.fullmatch(given):
        return None
    if form is None and _NAME_OF_KEY.fullmatch(given.upper().replace("-", "_")):
        return _found("is no name in capitals"), _VARIABLES, None
    return _found(form), _VARIABLES, None


def _wrong_file(given: Any) -> tuple[str, str, str | None] | None:
    """The same for a file."""
    expected = "the name of a file that holds the key, not the key itself"
    if not isinstance(given, str):
        return HIDDEN, f"{expected}, or a list of such names", None
    if _NAME_OF_KEY.fullmatch(given.lstrip("$")):
        return _found("is the name of a variable"), expected, "api_key_env"
    form = key_pasted(given)
    return None if form is None else (_found(form), expected, None)
