"""All that commands say goes through `report` or a `Screen`, where foreign text is escaped."""

import ast
from pathlib import Path

import nexus_actors.cli

CLI = Path(nexus_actors.cli.__file__).parent
ONE_LINE = ("CommandError", "complain", "note", "say")


def test_nothing_is_printed_past_what_escapes_it() -> None:
    found = []
    for path in sorted(CLI.rglob("*.py")):
        name = str(path.relative_to(CLI))
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            # Bars of progress alone have a console of their own: they show no foreign text.
            if called == "Console" and ast.unparse(node) != "Console(stderr=True)":
                found.append(f"{name}:{node.lineno} {called}")
            if (called == "print" or called.endswith(".write")) and name != "report.py":
                found.append(f"{name}:{node.lineno} {called}")
    assert found == []


def test_what_has_lines_is_told_line_by_line() -> None:
    """A line end in a message is shown as an escape, so none of ours may hold one."""
    found = []
    for path in sorted(CLI.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ONE_LINE:
                texts = (it for arg in node.args for it in ast.walk(arg))
                if any(isinstance(it, ast.Constant) and "\n" in str(it.value) for it in texts):
                    found.append(f"{path.relative_to(CLI)}:{node.lineno}")
    assert found == []
