"""What a shell makes of the script that completes commands."""

import shutil
import subprocess
from pathlib import Path

import pytest

from nexus_actors.cli import report

ASK = """
source {script}
complete_() {{
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _nexus
    echo "${{COMPREPLY[@]}}"
}}
complete_ nexus sta
complete_ nexus service unins
complete_ nexus status --al
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_commands_and_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run(["completion", "bash"]) == 0
    script = tmp_path / "nexus"
    script.write_text(capsys.readouterr().out)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    ask = ["bash", "--norc", "-c", ASK.format(script=script)]
    said = subprocess.run(ask, capture_output=True, text=True, check=False)
    assert said.stdout.splitlines() == ["start status", "uninstall", "--all --alive"], said.stderr


def test_for_other_shells_there_is_a_script_too(capsys: pytest.CaptureFixture[str]) -> None:
    for shell, beginning in (("zsh", "#compdef nexus"), ("fish", "# Fish completion for nexus")):
        assert report.run(["completion", shell]) == 0
        assert capsys.readouterr().out.startswith(beginning)
    assert report.run(["completion", "tcsh"]) == 2
