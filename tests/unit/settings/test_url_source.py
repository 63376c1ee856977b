"""Where the database's URL comes from, which source outranks which, and what is told of a file."""

from pathlib import Path
from typing import Any

import pytest

from nexus_actors.settings import Settings, SettingsErrors, masked, parse_settings
from nexus_actors.settings.changes import changes, without_restart

URL = "postgresql://me:canary-pw@db.example/x"


class Place:
    """A config file's folder, with a file of a secret where it is looked for."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "nexus.toml"
        self.file = folder / "credentials/database_url"
        self.file.parent.mkdir()
        self.write(f"{URL}\n")

    def write(self, text: str, mode: int = 0o600) -> None:
        self.file.write_text(text)
        self.file.chmod(mode)

    def parse(self, environ: dict[str, str] | None = None, **database: Any) -> Any:
        return parse_settings({"database": database}, environ or {}, file=self.config)

    def url(self, environ: dict[str, str] | None = None, **database: Any) -> tuple[str, str | None]:
        """The URL, and where it came from."""
        settings = self.parse(environ, **database)
        assert isinstance(settings, Settings), settings
        url = settings.database.url.get_secret_value()
        return url, settings.sources.get("database.url")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_each_source_outranks_those_after_it(place: Place) -> None:
    a, b, c = (f"postgresql://db.example/{it}" for it in "abc")
    environ = {"SHARED_QUEUE_DB_URL": b, "DATABASE_URL": c}
    file = {"DATABASE_URL_FILE": "database_url"}
    assert place.url(environ, url=a) == (a, "file")
    assert place.url(environ, url_file="database_url") == (URL, "database.url_file")
    assert place.url(environ) == (b, "SHARED_QUEUE_DB_URL")
    assert place.url({"DATABASE_URL": c}) == (c, "DATABASE_URL")
    assert place.url(file) == (URL, "DATABASE_URL_FILE")
    assert place.url({}) == ("", None)
    # What the config says counts, whatever the environment has.
    assert place.url({**environ, **file}, url=a) == (a, "file")
    assert place.url({**environ, **file}, url_file=str(place.file))[0] == URL


def test_two_that_contradict_each_other_are_a_mistake(place: Place) -> None:
    (both,) = place.parse(url=URL, url_file="database_url").mistakes
    assert (both.path, both.expected) == ("database.url_file", "one of them")
    for name in ("SHARED_QUEUE_DB_URL", "DATABASE_URL"):
        (both,) = place.parse({name: URL, "DATABASE_URL_FILE": "database_url"}).mistakes
        told = (both.path, both.found, both.expected)
        assert told == ("DATABASE_URL_FILE", f"a file, and {name}", "one of them")


def test_a_relative_file_is_a_credential_of_systemd_or_stands_beside_the_config(
    place: Place, tmp_path: Path
) -> None:
    handed = tmp_path / "handed-over"
    handed.mkdir()
    (handed / "database_url").write_text("ecto://db.example/handed")
    environ = {"CREDENTIALS_DIRECTORY": str(handed)}
    assert place.url(environ, url_file="database_url")[0] == "postgresql://db.example/handed"
    assert place.url(url_file="database_url")[0] == URL
    nowhere = parse_settings({"database": {"url_file": "database_url"}}, {})
    assert isinstance(nowhere, SettingsErrors)
    assert "CREDENTIALS_DIRECTORY is not set" in str(nowhere)


def test_keys_are_found_by_the_same_rule(place: Place) -> None:
    (place.file.parent / "groq").write_text("k" * 40)
    (place.file.parent / "groq").chmod(0o600)
    tables = {"providers": {"groq": {"api_key_file": "groq", "api_key_env": []}}}
    settings = parse_settings(tables, {}, file=place.config)
    assert isinstance(settings, Settings), settings
    assert [it.secret.get_secret_value() for it in settings.providers["groq"].api_keys] == [
        "k" * 40
    ]


@pytest.mark.parametrize(
    ("text", "mode", "found"),
    [
        (URL, 0o640, "an unusable file ("),
        (URL, 0o640, "can be read by others: chmod 600)"),
        ("", 0o600, "an empty file"),
        (f"{URL}\n{URL}\n", 0o600, "a file with more than a URL in it"),
        ("canary-pw", 0o600, "a file that holds no URL"),
        ("postgresql://me:canary-pw#1@db.example/x", 0o600, "a value that is not shown"),
        ("postgresql://me:12345?canary=1@db.example/x", 0o600, "a value that is not shown"),
        ("mysql://me:canary-pw@db.example/x", 0o600, "a value that is not shown"),
        ("x" * 20_000, 0o600, "is too long"),
    ],
)
def test_what_is_wrong_with_a_file_is_reported_without_a_part_of_it(
    place: Place, text: str, mode: int, found: str
) -> None:
    place.write(text, mode)
    (mistake,) = place.parse(url_file="database_url").mistakes
    assert mistake.path == "database.url_file"
    assert found in mistake.found
    for part in ("canary", "12345", "db.example", "mysql", "xxx"):
        assert part not in str(mistake)


@pytest.mark.parametrize("name", ["gone", "", "~nobody-of-this-name/x", "a\0b", URL])
def test_a_file_that_is_none_is_a_mistake_and_never_a_url_in_its_place(
    place: Place, name: str
) -> None:
    told = place.parse(url_file=name)
    if not name:
        assert isinstance(told, Settings)
        return
    (mistake,) = told.mistakes
    assert mistake.path == "database.url_file"
    assert "canary" not in str(mistake)


def test_it_is_shown_masked_and_another_one_needs_a_restart(place: Place) -> None:
    before = place.parse(url_file="database_url")
    assert masked(before)["database"]["url"] == "postgresql://me:***@db.example/x"
    assert masked(before)["database"]["url_file"] == "database_url"
    place.write(URL.replace("canary-pw", "canary-2"))
    after = place.parse(url_file="database_url")
    assert [str(it) for it in changes(before, after)] == ["database.url: another one (not shown)"]
    merged = without_restart(before, after)
    assert merged.settings.database == before.database
    assert [it.path for it in merged.needs_restart] == ["database.url"]
    moved = without_restart(before, place.parse({"DATABASE_URL_FILE": "database_url"}))
    assert [it.path for it in moved.needs_restart] == ["database.url_file", "database.url"]
