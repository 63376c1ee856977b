"""Imports go one way, files stay readable, no secret way in: what keeps the house in order."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(
    path
    for folder in ("supervisors", "nexus_actors", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def test_imports_go_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_longer_than_400_lines() -> None:
    assert [path for path in CODE if len(path.read_text().splitlines()) > 400] == []


def test_locks_name_no_index_and_no_file() -> None:
    local = "nexus_actors/providers/local_model/requirements.lock"
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock", local):
        text = (ROOT / name).read_text()
        assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links|^-e ", text, re.M)
        entries = re.split(r"\n(?=\S)", text.strip())
        assert len(entries) > (1 if name == local else 20)
        for entry in entries:
            assert re.match(r"[a-z0-9._-]+==\S+", entry), entry
            assert "--hash=sha256:" in entry, entry
