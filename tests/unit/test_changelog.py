"""The changelog tells of the version that the tree has, and of its newest migration."""

import re
import tomllib
from pathlib import Path

import nexus_actors

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
MIGRATIONS = ROOT / "nexus_actors" / "storage" / "postgres" / "migrations"


def test_its_newest_version_is_that_of_the_tree() -> None:
    """A version has a date, or says that it is not yet released: never both a date and more."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest, *older = re.findall(r"^## (.*)$", CHANGELOG, re.M)
    version, told = re.split(r" - |, ", newest)
    assert version == project["version"] == nexus_actors.__version__
    assert told == "not yet released" or re.fullmatch(r"\d{4}-\d\d-\d\d", told)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", it) for it in older)


def test_the_newest_migration_is_reported() -> None:
    newest = max(it.name[:4] for it in MIGRATIONS.glob("[0-9]*.sql"))
    assert f"Migration {newest} " in CHANGELOG
