"""The SQL in the Elixir snippets does what they use it for."""

import json
import re
from pathlib import Path
from uuid import UUID, uuid5

from tests.service import request, running_service

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/elixir.md")
TEXTS = {
    page: "\n".join(re.findall(r"(?m)^```elixir\n(.*?)^```$", (ROOT / page).read_text(), re.S))
    for page in PAGES
}
STATEMENTS = {
    statement
    for text in TEXTS.values()
    for statement in re.findall(r'Repo\.query!\(\s*"([^"]+)"', text)
}
SEND = "SELECT pgmq.send('ai_requests', $1::jsonb)"
LOOK_UP = "SELECT status, output, error FROM job_results WHERE id = $1::uuid"
SEARCH = "SELECT status, output, error FROM job_results WHERE input ->> 'request_id' = $1"
CANCEL = "SELECT nexus.cancel($1, $2)"


def test_these_are_all() -> None:
    assert {SEND, LOOK_UP, SEARCH, CANCEL} == STATEMENTS


def test_the_id_of_a_row_is_made_by_the_same_code_everywhere() -> None:
    """`acceptance/test_elixir.py` runs it."""
    script = (ROOT / "examples" / "elixir" / "ask.exs").read_text()
    shown = re.findall(r"(?s)  defp row_id.*?\n  end\n", TEXTS["docs/elixir.md"])
    assert shown == re.findall(r"(?s)  defp row_id.*?\n  end\n", script)
    assert len(shown) == 1


async def test_send_look_and_cancel(database_url: str, tmp_path: Path) -> None:
    (namespace,) = re.findall(r'dump!\("([0-9a-f-]+)"\)', TEXTS["docs/elixir.md"])
    async with running_service(database_url, tmp_path) as service:
        await service.sql.rows(SEND, json.dumps({**request(1), "timeout": None}))
        await service.stored(1)
        [row] = await service.sql.rows(LOOK_UP, uuid5(UUID(namespace), "request-1"))
        assert [row] == await service.sql.rows(SEARCH, "request-1")
        assert (row["status"], row["error"]) == ("success", None)
        assert json.loads(row["output"])["response"] == "echo: message 1"
        assert await service.sql.value(CANCEL, "request-1", "sent twice") == "ended"
