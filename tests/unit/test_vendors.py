"""The vendors' side is another side: it knows nothing of ours."""

import ast
from pathlib import Path

import pytest

from tests.http_server import Recorded
from tests.vendors.rules import complaints, vendor

FOLDER = Path(__file__).parents[1] / "vendors"
FILES = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_vendor_imports_nothing_of_ours(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {
        name.name if isinstance(node, ast.Import) else node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert not [name for name in names if name.startswith(("nexus_actors", "supervisors"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_vendor_names_the_pages_it_was_read_from(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "https://" in text or "\ndef answer(" not in text


def call(body: bytes, path: str = "/v1/chat/completions") -> Recorded:
    return Recorded(
        method="POST", path=path, headers={"authorization": "Bearer k"}, body=body, connection=0
    )


def test_calls_are_held_against_the_rules_wherever_they_were_made() -> None:
    answer = vendor("groq")
    assert answer is not None
    good = call(b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}')
    bad = call(b'{"model": "m", "messages": [], "top_k": 3}')
    elsewhere = call(b"{}", path="/elsewhere")
    assert complaints(answer, [good, elsewhere], base="/v1", own="/openai/v1") == []
    assert len(complaints(answer, [bad], base="/v1", own="/openai/v1")) == 1


def test_nobody_plays_a_vendor_that_is_not_written_down() -> None:
    assert vendor("nobody") is None
