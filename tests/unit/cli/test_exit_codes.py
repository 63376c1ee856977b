"""docs/operating.md lists every exit code."""

import re
from pathlib import Path

from nexus_actors.cli.exit_codes import MEANING

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "operating.md").read_text()


def test_every_exit_code_is_in_the_docs() -> None:
    table = PAGE.partition("### Exit codes")[2].partition("\n#")[0]
    assert [int(code) for code in re.findall(r"^\| `(\d+)` \|", table, re.M)] == list(MEANING)
