"""docs/doctor.md and the checks are held together."""

import re
from pathlib import Path

from nexus_actors.doctor.examine import NAMES
from tests.doctors import House

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "doctor.md"


def test_the_page_has_a_row_for_each_check_in_their_order() -> None:
    table = PAGE.read_text().partition("| check |")[2]
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|(.*)\|$", table, re.MULTILINE)
    assert [name for name, *_ in rows] == list(NAMES)
    assert all(len(cell.split()) > 1 for _, *cells in rows for cell in cells)
    assert len(set(NAMES)) == len(NAMES)


def test_the_service_is_laid_out_in_one_way_and_no_secret_is_on_a_command_line() -> None:
    folder = DOCS.parent / "nexus_actors" / "cli"
    texts = {it: it.read_text() for it in (*DOCS.glob("*.md"), *folder.glob("*.py"))}
    assert len(texts) > 20
    odd = re.compile(r"/etc/nexus\.\w+|env \$\(")
    assert [it.name for it, text in texts.items() if odd.search(text)] == []


async def test_the_least_config_of_the_service_page_is_well(tmp_path: Path) -> None:
    """With the secrets where the page puts them, and nothing else."""
    house = House(tmp_path)
    toml = (DOCS / "service.md").read_text().partition("```toml\n")[2].partition("```")[0]
    assert "/var/lib/nexus" in toml
    house.file.write_text(toml.replace("/var/lib/nexus", str(house.data_dir)))
    secrets = {"database_url": "postgresql://u@h/d", "openai": "sk-canary-0123456789"}
    (tmp_path / "credentials").mkdir(mode=0o700)
    for name, secret in secrets.items():
        file = tmp_path / "credentials" / name
        file.touch(0o600)
        file.write_text(secret)
    found = await house.look("config", "keys", "routes", "budgets", "data_dir", "socket")
    assert {it.verdict for it in found} == {"ok"}, found
