"""The files for the forge and for pre-commit: valid, and they run what everybody runs."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from tests.lazy import Lazy

check_jsonschema: Any = Lazy("check_jsonschema")
ROOT = Path(__file__).resolve().parents[2]
FORGE = ROOT / ".github"
SCHEMAS = {
    **{path.relative_to(ROOT): "github-issue-forms" for path in FORGE.glob("ISSUE_TEMPLATE/*.yml")},
    **{path.relative_to(ROOT): "github-workflows" for path in FORGE.glob("workflows/*.yml")},
    Path(".github/ISSUE_TEMPLATE/config.yml"): "github-issue-config",
}


def read(name: str) -> Any:
    return YAML(typ="safe").load(ROOT / name)


def refused(path: Path, schema: str) -> str:
    """What the schema's check says against a file; empty if it is valid."""
    words = ["--builtin-schema", f"vendor.{schema}", str(path)]
    done = CliRunner().invoke(check_jsonschema.main, words)
    return done.output if done.exit_code else ""


@pytest.mark.parametrize("path", SCHEMAS, ids=str)
def test_a_file_for_the_forge_is_valid(path: Path) -> None:
    assert refused(ROOT / path, SCHEMAS[path]) == ""


def test_an_invalid_file_is_refused(tmp_path: Path) -> None:
    form = tmp_path / "form.yml"
    text = (FORGE / "ISSUE_TEMPLATE/bug.yml").read_text()
    form.write_text(text.replace("type: dropdown", "type: list"))
    assert "list" in refused(form, "github-issue-forms")


def test_there_is_a_form_for_each_kind_of_issue() -> None:
    names = {path.stem for path in (FORGE / "ISSUE_TEMPLATE").glob("*.yml")}
    assert names == {"bug", "feature", "provider", "config"}


def test_continuous_integration_runs_the_gate_and_nothing_else() -> None:
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    used = [re.sub("@.*", "", step["uses"]) for step in job["steps"] if "uses" in step]
    assert used == ["actions/checkout", "actions/setup-python"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]


def test_the_hooks_before_a_commit_are_checks_of_make_check() -> None:
    makefile = (ROOT / "Makefile").read_text()
    checks = makefile.partition("\ncheck:")[2].partition("\n\n")[0]
    (repo,) = read(".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    for hook in repo["hooks"]:
        program, *words = hook["entry"].split()
        command = ["$(BIN)/" + program.removeprefix(".venv/bin/"), *words]
        assert " ".join(it for it in command if it != "--force-exclude") in checks


def test_the_gate_is_a_valid_script_of_existing_targets() -> None:
    gate = ROOT / ".ci" / "run"
    subprocess.run(["bash", "-n", gate], check=True)
    targets = re.findall(r"^make ([a-z-]+)$", gate.read_text(), re.MULTILINE)
    assert {"test", "docs", "test-dist", "test-container"} <= set(targets)
    assert all(f"\n{it}: " in (ROOT / "Makefile").read_text() for it in targets)


def test_every_folder_of_tests_is_run_by_a_stage_of_the_gate() -> None:
    folders = {it.relative_to(ROOT).parts[1] for it in (ROOT / "tests").glob("*/**/test_*.py")}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    usual = {Path(it).name for it in settings["ini_options"]["testpaths"]}
    makefile = (ROOT / "Makefile").read_text()
    (listed,) = re.findall(r"FOLDERS := \$\(addprefix tests/,(.*)\)", makefile)
    compiled = {*listed.split()}
    assert usual < folders
    assert "test" in STAGES
    for folder in folders - usual:
        assert f"test-{folder}" in STAGES
        recipe = makefile.partition(f"\ntest-{folder}:")[2].partition("\n\n")[0]
        assert re.search(rf"(pytest|PYTEST\)) tests/{folder}\b", recipe)
        assert ("PYTEST" in recipe) == (folder in compiled)
    assert usual < compiled


class Machine:
    """One on which the gate runs: its commands only write down what they are asked."""

    def __init__(self, folder: Path) -> None:
        self._commands = folder / "bin"
        self._log = folder / "log"
        self._gate = folder / ".ci" / "run"
        self._gate.parent.mkdir()
        self._commands.mkdir()
        shutil.copy(ROOT / ".ci" / "run", self._gate)
        for name in ("bash", "dirname"):
            (self._commands / name).symlink_to(str(shutil.which(name)))
        self.has("make")

    def has(self, name: str, does: str = "") -> None:
        """Give it a command, and what that does after it wrote down its words."""
        command = self._commands / name
        command.write_text(f'#!/bin/bash\necho "{name} $*" >> {self._log}\n{does}\n')
        command.chmod(0o755)

    def run(self) -> tuple[list[str], str]:
        """What was done, and what the gate said of what it could not do. It passed."""
        environ = {"PATH": str(self._commands)}
        done = subprocess.run(
            ["bash", self._gate], env=environ, capture_output=True, text=True, check=True
        )
        steps = [it for it in self._log.read_text().splitlines() if not it.startswith("id ")]
        return steps, done.stderr


STAGES = (
    "test",
    "test-faults",
    "test-conformance",
    "test-observer",
    "docs",
    "test-docs",
    "test-container",
    "test-dist",
    "test-machine",
    "test-browser",
)
TARGETS = [f"make {it}" for it in STAGES]


@pytest.mark.parametrize("user", ["0", "1000"])
def test_the_gate_installs_what_tests_need_as_root_or_with_sudo(user: str, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.has("id", f"echo {user}")
    machine.has("apt-get")
    machine.has("sudo", 'shift; "$@"')
    steps, said = machine.run()
    assert said == ""
    assert [it for it in steps if it.startswith("make ")] == TARGETS
    installed = [it.split()[-1] for it in steps if it.startswith("apt-get install")]
    assert installed == ["erlang-p1-pgsql", "crun", "mmdebstrap", "systemd", "chromium"]
    with_sudo = [it for it in steps if it.startswith("sudo -n apt-get")]
    assert len(with_sudo) == (0 if user == "0" else 10)


def test_the_gate_says_what_it_could_not_install_and_goes_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.has("id", "echo 1000")
    machine.has("apt-get")
    machine.has("sudo", "exit 1  # a password is required")
    steps, said = machine.run()
    assert [it for it in steps if it.startswith("make ")] == TARGETS
    assert "no elixir" in said
    assert "no chromium" in said


def test_the_gate_installs_nothing_that_is_there(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for name in ("elixir", "podman", "mmdebstrap", "systemctl", "chromium"):
        machine.has(name)
    assert machine.run() == (TARGETS, "")
