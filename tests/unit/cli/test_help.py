"""What `--help` says of each command."""

import inspect
import shlex
from collections.abc import Callable, Iterator

import pytest
from cyclopts import App

from nexus_actors.cli import report
from nexus_actors.cli.app import _FAMILIES, app, tell_whole


def commands(of: App, *path: str) -> Iterator[tuple[tuple[str, ...], Callable[..., object]]]:
    """Each command below, with the words that name it; those that only print are cyclopts' own."""
    if path and of.default_command is not None:
        yield path, of.default_command
    for name in of:
        if not name.startswith("-"):
            yield from commands(of[name], *path, name)


def test_every_command_has_an_example_that_it_takes() -> None:
    found = dict(commands(app))
    assert {("start",), ("dead", "list"), ("models",), ("remote",)} <= found.keys()
    for path, function in found.items():
        doc = inspect.getdoc(function) or ""
        examples = [it.removeprefix("Example: ") for it in doc.splitlines() if "Example: " in it]
        assert examples, path
        for example in examples:
            alone = example.removeprefix('psql "$(').removesuffix(')"').partition(";")[0]
            words = shlex.split(alone)
            assert tuple(words[: len(path) + 1]) in (("nexus", *path), ("nexus", *path, "list"))
            command, _, _ = app.parse_args(words[1:], print_error=False, exit_on_error=False)
            assert command is function, example


def test_a_commands_own_page_tells_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.run(["remote", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example: nexus remote -e 'await tree()'" in shown
    assert "Ctrl-C interrupts the statement" in " ".join(shown.split())


@pytest.mark.parametrize("words", [["doctor"], ["dead"], ["dead", "edit"], ["ask"]])
def test_the_list_of_exit_codes_stands_on_one_page_alone(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "interrupted by Ctrl-C" not in shown
    assert "All exit codes: nexus --help" in shown
    assert shown.count("Exit codes") <= 1


def test_ends_of_source_lines_are_none_on_a_subcommands_page() -> None:
    tell_whole(["actor", "stop", "--help"])
    codes = app["actor"]["stop"].help.partition("Exit codes: ")[2]
    assert codes.startswith("0 done, or in progress, which is said; 1 no such actor")
    assert "\n" not in codes.strip()


@pytest.mark.parametrize("name", _FAMILIES["Steering"])
def test_a_command_for_operators_shows_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run([name, "--help"]) == 0
    assert f"\nExample: nexus {name}" in capsys.readouterr().out
