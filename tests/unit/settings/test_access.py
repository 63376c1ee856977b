"""`[dashboard]`: who may log in, and what is wrong with that."""

from pathlib import Path
from typing import Any

import pytest

from nexus_actors.settings import Settings, SettingsErrors, masked, parse_settings
from nexus_actors.settings.changes import changes, without_restart

TOKEN = "a-token-of-enough-letters"  # noqa: S105


def file_of(folder: Path, text: str = TOKEN, name: str = "joe", mode: int = 0o600) -> str:
    file = folder / name
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def parsed(**dashboard: Any) -> Settings | SettingsErrors:
    return parse_settings({"dashboard": dashboard}, {})


def good(**dashboard: Any) -> Settings:
    found = parsed(**dashboard)
    assert isinstance(found, Settings), found
    return found


def tokens(file: str, role: str = "read", name: str = "joe") -> dict[str, Any]:
    return {name: {"role": role, "token_file": file}}


def test_a_token_is_read_from_its_file(tmp_path: Path) -> None:
    found = good(tokens=tokens(file_of(tmp_path, f"{TOKEN}\n")))
    (one,) = found.access
    assert (one.name, one.role, one.secret.get_secret_value()) == ("joe", "read", TOKEN)
    assert TOKEN not in repr(found)
    assert TOKEN not in str(masked(found))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "a token of less than 16 characters"),
        ("", "an empty file"),
        ("two words of a token", "more than a token"),
        ("x" * 600, "too long"),
        ("ü" * 20, "more than a token"),
    ],
)
def test_what_can_be_no_token_is_refused_unseen(tmp_path: Path, text: str, expected: str) -> None:
    found = parsed(tokens=tokens(file_of(tmp_path, text)))
    assert isinstance(found, SettingsErrors)
    (mistake,) = found.mistakes
    assert mistake.path == "dashboard.tokens.joe.token_file"
    assert expected in mistake.found
    assert not text or text not in str(found)


def test_two_with_one_token_could_not_be_told_apart(tmp_path: Path) -> None:
    both = {
        **tokens(file_of(tmp_path)),
        **tokens(file_of(tmp_path, name="eve"), "operate", "eve"),
    }
    found = parsed(tokens=both)
    assert isinstance(found, SettingsErrors)
    assert "the token of joe" in str(found)


@pytest.mark.parametrize(
    ("dashboard", "expected"),
    [
        ({"tokens": {"joe": {"role": "admin", "token_file": "x"}}}, "one of read, operate"),
        ({"tokens": {"joe": {"role": "read"}}}, "dashboard.tokens.joe.token_file: found nothing"),
        ({"tokens": {"joe": "x"}}, "dashboard.tokens.joe"),
        ({"tokens": {"joe bloggs": {"role": "read", "token_file": "x"}}}, "1 to 63 letters"),
        ({"loopback": "all"}, "one of read, operate, token"),
        ({"url": "mysql://x"}, "dashboard.url"),
        ({"url": "postgresql://a@b/c", "url_file": "x"}, "a file, and dashboard.url"),
    ],
    ids=str,
)
def test_a_mistake_says_where_and_what(dashboard: dict[str, Any], expected: str) -> None:
    found = parsed(**dashboard)
    assert isinstance(found, SettingsErrors)
    assert expected in str(found)


def test_a_file_that_cannot_be_read_leaves_its_token_out_and_opens_nothing(tmp_path: Path) -> None:
    found = good(tokens=tokens(file_of(tmp_path, mode=0o644)))
    assert found.access == ()
    assert list(found.dashboard.tokens) == ["joe"]
    assert "dashboard.tokens.joe is left out" in "\n".join(found.warnings)


def test_the_operators_url_is_its_own_and_hidden(tmp_path: Path) -> None:
    url = "postgresql://op:secret@db/nexus"
    for found in (good(url=url), good(url_file=file_of(tmp_path, url))):
        assert found.dashboard.url.get_secret_value() == url
        assert "secret" not in str(masked(found))
    assert found.sources["dashboard.url"] == "dashboard.url_file"
    assert good().dashboard.url.get_secret_value() == ""


def test_a_reload_takes_tokens_over_and_tells_no_secret(tmp_path: Path) -> None:
    before = good(tokens=tokens(file_of(tmp_path)))
    after = good(tokens=tokens(file_of(tmp_path, f"another-{TOKEN}")), url="postgresql://a:b@c/d")
    merged = without_restart(before, after)
    assert merged.settings.access == after.access
    assert merged.settings.dashboard.url == before.dashboard.url
    assert [it.path for it in merged.needs_restart] == ["dashboard.url"]
    told = [str(it) for it in changes(before, merged.settings)]
    assert told == ["dashboard.tokens.joe: another one (not shown)"]
