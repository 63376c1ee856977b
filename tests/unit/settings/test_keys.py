"""Keys from variables and files, and what is told of those that cannot be used."""

import os
from pathlib import Path

import pytest

from nexus_actors.providers.kinds import kind_names, load_kind
from nexus_actors.settings import Settings, parse_settings
from nexus_actors.settings.keys import FoundKeys, LeftOutBecause, read_keys


def found(outcome: FoundKeys | LeftOutBecause) -> list[tuple[str, str]]:
    assert isinstance(outcome, FoundKeys), outcome
    return [(key.name, key.secret.get_secret_value()) for key in outcome.keys]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    file.chmod(0o600)
    return file


def test_none_named_none_needed() -> None:
    assert read_keys(None, None, {}) == FoundKeys((), ())


def test_several_in_order_each_once(key_file: Path) -> None:
    environ = {"A": "one", "B": "two", "C": "one"}
    outcome = read_keys(("A", "B", "C"), str(key_file), environ)
    assert found(outcome) == [("A", "one"), ("B", "two"), (str(key_file), "from-a-file")]


@pytest.mark.parametrize("kind", kind_names())
def test_every_kind_takes_several(kind: str, key_file: Path) -> None:
    table = {"kind": kind, "api_key_env": ["A", "B"], "api_key_file": [str(key_file)]}
    if "base_url" in load_kind(kind).settings.model_fields:
        table["base_url"] = "https://llm.example/v1"
    config = {"providers": {"p": table}, "routes": [{"models": ["p/m"]}]}
    settings = parse_settings(config, {"A": "one", "B": "two"})
    assert isinstance(settings, Settings), settings
    assert [key.name for key in settings.providers["p"].api_keys] == ["A", "B", str(key_file)]


def test_those_that_are_missing_are_reported_and_the_others_used() -> None:
    outcome = read_keys(("A", "B"), None, {"B": "two"})
    assert found(outcome) == [("B", "two")]
    assert isinstance(outcome, FoundKeys)
    assert outcome.missing == ("A is not set",)


def test_a_file_that_others_can_read_is_refused(key_file: Path) -> None:
    for mode in (0o640, 0o604, 0o660):
        key_file.chmod(mode)
        outcome = read_keys(None, str(key_file), {})
        assert outcome == LeftOutBecause(f"{key_file} can be read by others: chmod 600")


def test_a_credential_of_systemd(key_file: Path) -> None:
    key_file.chmod(0o440)  # guarded by its folder
    environ = {"CREDENTIALS_DIRECTORY": str(key_file.parent)}
    assert found(read_keys(None, "key", environ)) == [("key", "from-a-file")]
    outcome = read_keys(None, "key", {})
    assert isinstance(outcome, LeftOutBecause)
    assert "CREDENTIALS_DIRECTORY" in outcome.why


@pytest.mark.parametrize("text", ["two words", "schlüssel", "canary\x00", "canary\nX-Evil: 1"])
def test_what_is_no_key_is_reported_without_a_character_of_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    for outcome in (read_keys("A", None, {"A": text}), read_keys(None, str(file), {})):
        assert isinstance(outcome, LeftOutBecause)
        assert "characters that no key has" in outcome.why
        assert text[:6] not in outcome.why


def test_files_that_are_none(tmp_path: Path) -> None:
    empty, long = tmp_path / "empty", tmp_path / "long"
    empty.touch(0o600)
    long.touch(0o600)
    long.write_text("x" * 20_000)
    for name, why in ((empty, "empty"), (long, "too long"), (tmp_path / "gone", "no such file")):
        outcome = read_keys(None, str(name), {})
        assert isinstance(outcome, LeftOutBecause)
        assert why in outcome.why


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    outcome = read_keys(None, str(pipe), {})
    assert outcome == LeftOutBecause(f"{pipe} is no file")


def test_beside_a_file_the_built_in_variable_is_not_missed(key_file: Path) -> None:
    table: dict[str, object] = {"api_key_file": str(key_file)}

    def read(environ: dict[str, str]) -> tuple[list[str], list[str]]:
        settings = parse_settings({"providers": {"openai": table}}, environ)
        assert isinstance(settings, Settings)
        told = [it for it in settings.warnings if "openai" in it]
        return [it.name for it in settings.providers["openai"].api_keys], told

    assert read({}) == ([str(key_file)], [])
    both = ["OPENAI_API_KEY", str(key_file)]
    assert read({"OPENAI_API_KEY": "abcdefghijkl"}) == (both, [])
    table["api_key_env"] = "OPENAI_API_KEY"  # one that the file names is missed
    names, [warning] = read({})
    assert names == [str(key_file)]
    told = "openai works without a key that is named: OPENAI_API_KEY is not set"
    assert told in warning
