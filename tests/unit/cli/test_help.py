"""What the commands say of themselves."""

import pytest

from nexus_actors.cli import report
from nexus_actors.cli.app import _FAMILIES


@pytest.mark.parametrize("name", _FAMILIES["Steering"])
def test_a_command_for_operators_shows_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.run([name, "--help"]) == 0
    assert f"\nExample: nexus {name}" in capsys.readouterr().out
