"""All that commands say goes through `report` or a `Screen`, where foreign text is escaped."""

import ast
from pathlib import Path

import nexus_actors.cli

CLI = Path(nexus_actors.cli.__file__).parent


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
