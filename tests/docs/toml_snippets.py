"""TOML on a page is a config, or a part of one.

It is read as it stands. A part that is refused, since other parts of the config are not shown, is
read again beside what it presumes: the variables and files that it names, an `echo` provider for
each name that it uses and that another part on its page defines, and one more that serves all of
its routes. A provider that neither its page nor the defaults define is a mistake.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nexus_actors.settings import Settings, parse_settings
from nexus_actors.settings.defaults import PROVIDERS
from tests.docs.pages import Snippet, place

_STAND_IN: Final = "stand-in"
_ECHO: Final = {"kind": "echo"}
_KEY: Final = "k-0123456789abcdef"
_URL: Final = "postgresql://nexus@db.example/app"


def toml_mistakes(snippets: Sequence[Snippet], folder: Path) -> list[str]:
    """What is wrong with a page's parts of configs. `folder` is for the files that they name."""
    defined = {name for it in snippets for name in _defined(it)}
    return [told for it in snippets for told in _of_one(it, folder, defined)]


def _defined(snippet: Snippet) -> Iterable[str]:
    """The providers that it has a table for; one that cannot be read defines none."""
    try:
        return _table(tomllib.loads(snippet.text).get("providers"))
    except tomllib.TOMLDecodeError:
        return ()


def _of_one(snippet: Snippet, folder: Path, defined: set[str]) -> list[str]:
    try:
        mapping = tomllib.loads(snippet.text)
    except tomllib.TOMLDecodeError as error:
        return [f"{snippet.where}: {error}"]
    config = _with_files(mapping, folder)
    environ = {"HOME": str(folder), **dict.fromkeys(_variables(config), _KEY)}
    file = folder / "nexus.toml"
    if isinstance(parse_settings(config, environ, file=file), Settings):
        return []
    outcome = parse_settings(_whole(config, defined), environ, file=file)
    if isinstance(outcome, Settings):
        return []
    return [
        f"{place(snippet.page, _line(snippet, it.path))}: {it.path}: found {it.found},"
        f" expected {it.expected}"
        for it in outcome.mistakes
    ]


def _with_files(value: Any, folder: Path, name: str = "") -> Any:
    """The config with files of ours, where it names secrets that are in files."""
    if isinstance(value, Mapping):
        return {key: _with_files(it, folder, key) for key, it in value.items()}
    if isinstance(value, list):
        return [_with_files(it, folder, name) for it in value]
    if not name.endswith("_file") or not isinstance(value, str):
        return value
    file = folder / Path(value).name
    file.touch(mode=0o600)
    text = {"url_file": _URL, "token_file": 4 * _KEY}.get(name, _KEY)
    file.write_text(text)
    return str(file)


def _variables(value: Any, name: str = "") -> Iterator[str]:
    """The variables that hold keys."""
    if isinstance(value, Mapping):
        for key, it in value.items():
            yield from _variables(it, key)
    elif isinstance(value, list):
        for it in value:
            yield from _variables(it, name)
    elif name.endswith("_env") and isinstance(value, str):
        yield value


def _whole(config: Mapping[str, Any], defined: set[str]) -> dict[str, Any]:
    """The part beside what it presumes; `defined` are its page's providers."""
    routes = [_served(it) for it in _list(config.get("routes"))]
    providers = _table(config.get("providers"))
    budgets = _table(config.get("budgets")).values()
    named = {str(model).partition("/")[0] for it in routes for model in it["models"]}
    named |= {it["provider"] for it in budgets if isinstance(it, Mapping) and "provider" in it}
    absent = (named & defined) - providers.keys() - PROVIDERS.keys()
    return {
        **config,
        "providers": {**dict.fromkeys(sorted(absent | {_STAND_IN}), _ECHO), **providers},
        "routes": routes or [{"models": [f"{_STAND_IN}/m"]}],
    }


def _served(route: Any) -> dict[str, Any]:
    """The route with a last choice that is there, whatever keys are."""
    table = {"models": [], **_table(route)}
    if not isinstance(table["models"], list):
        return table
    table["models"] = [*table["models"], f"{_STAND_IN}/m"]
    if isinstance(table.get("weights"), list):
        table["weights"] = [*table["weights"], 1]
    return table


def _table(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _line(snippet: Snippet, path: str) -> int:
    """The page's line of a setting, as far as its last name tells."""
    name = re.sub(r"\[\d+\]$", "", path.rpartition(".")[2])
    for number, line in enumerate(snippet.text.splitlines(), 1):
        if line.strip().startswith(name) or line.strip().startswith((f"[{path}", f'"{name}"')):
            return snippet.line + number
    return snippet.line
