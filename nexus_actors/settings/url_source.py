"""Where the database's URL comes from: the config, the environment, or a file that either names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.config_file import sought
from nexus_actors.settings.database_url import EXAMPLE, bad_url
from nexus_actors.settings.mistakes import HIDDEN, Mistake, Notes, mask_url
from nexus_actors.settings.model import Settings
from nexus_actors.settings.secret_files import read_secret

URL_VARIABLES: Final = ("SHARED_QUEUE_DB_URL", "DATABASE_URL")
FILE_VARIABLE: Final = "DATABASE_URL_FILE"
_A_FILE: Final = "the name of a file that holds the URL"


@dataclass(frozen=True, slots=True)
class _Found:
    """What is said to be the URL."""

    text: str
    path: str
    """The setting or the variable."""
    source: str
    is_hidden: bool = False
    """It came from a file that only we can read: nothing of it is shown."""


def choose_url(
    database: dict[str, Any],
    environ: Mapping[str, str],
    notes: Notes,
    sources: dict[str, str],
) -> None:
    """Put the URL into `database`, checked: the first of the config's `url` or `url_file`,
    SHARED_QUEUE_DB_URL, DATABASE_URL, the file that DATABASE_URL_FILE names. Both settings at once
    are a mistake, and so is DATABASE_URL_FILE beside one of the other variables, where they count.
    Ecto's scheme is PostgreSQL's here.
    """
    _choose("database", database, lambda: _of_environment(environ, notes), environ, notes, sources)


def sought_url(settings: Settings) -> str:
    """Where a URL was looked for and not found, for messages."""
    variables = ", ".join((*URL_VARIABLES, FILE_VARIABLE))
    return (
        f"no database URL is set: not in {variables}, nor as [database] url or url_file; settings"
        f" are from {sought(settings.file)}"
    )


def choose_dashboard_url(
    dashboard: dict[str, Any],
    environ: Mapping[str, str],
    notes: Notes,
    sources: dict[str, str],
) -> None:
    """The same for `dashboard`'s `url` or `url_file`; without both it stays empty."""
    nothing = _Found("", "dashboard.url", notes.source)
    _choose("dashboard", dashboard, lambda: nothing, environ, notes, sources)


def _choose(
    section: str,
    table: dict[str, Any],
    otherwise: Callable[[], _Found],
    environ: Mapping[str, str],
    notes: Notes,
    sources: dict[str, str],
) -> None:
    path = f"{section}.url"
    url, file = table.get("url", ""), table.get("url_file", "")
    if not isinstance(url, str) or not isinstance(file, str):
        return
    if url.strip():
        if file.strip():
            notes.add(f"{path}_file", f"a file, and {path}", "one of them")
        found = _Found(url, path, notes.source)
    elif file.strip():
        found = _read(file.strip(), f"{path}_file", notes.source, environ, notes)
    else:
        found = otherwise()
    if not url.strip():
        sources.pop(path, None)
    if found.text and found.path != path:
        sources[path] = found.path
    text = found.text.strip()
    # Elixir applications share the variable, and theirs may say ecto://.
    if text.startswith("ecto://"):
        text = "postgresql://" + text.removeprefix("ecto://")
    table["url"] = text
    shown = mask_url(text) if "://" in text and not found.is_hidden else HIDDEN
    notes.mistakes += [
        Mistake(path=found.path, found=shown, expected=it, source=found.source)
        for it in (bad_url(text) if text else ())
    ]


def _of_environment(environ: Mapping[str, str], notes: Notes) -> _Found:
    given = [it for it in (*URL_VARIABLES, FILE_VARIABLE) if environ.get(it, "").strip()]
    if not given:
        return _Found("", "database.url", notes.source)
    first = given[0]
    if first == FILE_VARIABLE:
        return _read(environ[first].strip(), first, "environment", environ, notes)
    if FILE_VARIABLE in given:
        _note(notes, FILE_VARIABLE, "environment", f"a file, and {first}", "one of them")
    return _Found(environ[first], first, "environment")


def _read(
    name: str,
    path: str,
    source: str,
    environ: Mapping[str, str],
    notes: Notes,
) -> _Found:
    nothing = _Found("", path, source)
    if "://" in name:
        _note(notes, path, source, f"{HIDDEN}: it is a URL", _A_FILE)
        return nothing
    text = read_secret(name, environ, notes.secrets)
    if isinstance(text, str):
        found = f"an unusable file ({text})"
        _note(notes, path, source, found, f"a file that holds a URL such as {EXAMPLE}")
        return nothing
    lines = text.decode("utf-8", "replace").split()
    if len(lines) != 1:
        what = "an empty file" if not lines else "a file with more than a URL in it"
        _note(notes, path, source, what, f"a file that holds one URL, such as {EXAMPLE}")
        return nothing
    if "://" not in lines[0]:
        _note(notes, path, source, "a file that holds no URL", f"one such as {EXAMPLE}")
        return nothing
    return _Found(lines[0], path, source, is_hidden=True)


def _note(notes: Notes, path: str, source: str, found: str, expected: str) -> None:
    notes.mistakes.append(Mistake(path=path, found=found, expected=expected, source=source))
