"""docs/doctor.md and the checks are held together."""

import re
from pathlib import Path

from nexus_actors.doctor.examine import NAMES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "doctor.md"


def test_the_page_has_a_row_for_each_check_in_their_order() -> None:
    table = PAGE.read_text().partition("| check |")[2]
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|(.*)\|$", table, re.MULTILINE)
    assert [name for name, *_ in rows] == list(NAMES)
    assert all(len(cell.split()) > 1 for _, *cells in rows for cell in cells)
    assert len(set(NAMES)) == len(NAMES)
