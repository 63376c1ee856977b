"""`nexus route`: of one request, or of each line of a file that `enqueue` would send."""

import json
from pathlib import Path

import pytest

from nexus_actors.cli import exit_codes, report

MESSAGES = [{"role": "user", "content": "hello"}]
GOOD = {"complexity": "simple", "messages": MESSAGES}
CONFIG = """
[providers.e]
kind = "echo"
[[routes]]
models = ["e/small"]
[[routes]]
complexity = "complex"
models = ["e/large"]
"""


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    (file := tmp_path / "nexus.toml").write_text(CONFIG)
    return ["--config", str(file)]


def test_each_line_of_a_file_is_told_by_its_number(
    config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [GOOD, None, {**GOOD, "complexity": "hard"}, {**GOOD, "complexity": "complex"}]
    file = tmp_path / "requests.jsonl"
    file.write_text("\n".join("" if it is None else json.dumps(it) for it in lines))
    assert report.run(["route", str(file), *config, "--json"]) == exit_codes.FAILED
    told = json.loads(capsys.readouterr().out)
    assert [it["line"] for it in told] == [1, 3, 4]
    models = [[one["model"] for one in it.get("candidates", ())] for it in told]
    assert models == [["e/small"], [], ["e/large"]]
    assert told[1]["error"]["type"] == "invalid_complexity"
    assert report.run(["route", str(file), *config]) == exit_codes.FAILED
    captured = capsys.readouterr()
    assert captured.err.startswith("nexus: line 3: invalid_complexity: ")
    assert [it for it in captured.out.splitlines() if it.startswith("line")] == [
        "line    1",
        "line    3",
        "line    4",
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_one_request_needs_no_id_however_it_is_laid_out(
    indent: int | None, config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "request.json").write_text(json.dumps(GOOD, indent=indent) + "\n")
    assert report.run(["route", str(file), *config, "--json"]) == exit_codes.OK
    assert json.loads(capsys.readouterr().out)["candidates"][0]["model"] == "e/small"


def test_what_is_no_json_is_one_mistake(
    config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "request.json").write_text(json.dumps(GOOD, indent=2)[:-1])
    assert report.run(["route", str(file), *config]) == exit_codes.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("nexus: invalid_request: not JSON")


@pytest.mark.parametrize("command", ["route", "enqueue"])
@pytest.mark.parametrize("words", [["--explain", "request.json"], ["--explain"]])
def test_an_unknown_option_is_not_taken_for_the_file(
    command: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run([command, *words]) == exit_codes.USAGE
    told = "nexus: Unknown option: --explain. A file of this name is ./--explain\n"
    assert capsys.readouterr().err == told
