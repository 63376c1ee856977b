"""What `nexus dead retry` says in the end, and `nexus dead edit` of what is refused."""

import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.cli import dead_edit
from nexus_actors.cli.confirm import confirmed
from nexus_actors.cli.letters import outcome_of
from nexus_actors.cli.report import CommandError
from nexus_actors.storage.postgres.dead_letters import GONE, Retried

SENT = Retried(1, "r", "r~1")
BACK = Retried(2, "s", put_back=True)
REFUSED = Retried(4, "t", "t~1", reason="empty_messages")
LEFT = Retried(3, why_not="no id")
STAYS = (
    "not sent: 1, each for the reason above; they stay dead letters (nexus dead edit NUMBER"
    " corrects one, nexus dead purge NUMBER deletes it), hence exit code 1"
)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([], ["sent again: 0 of 0"]),
        ([SENT, LEFT], ["sent again: 1 of 2", STAYS]),
        ([SENT, Retried(4, why_not=GONE)], ["sent again: 1 of 2"]),
        ([replace(SENT, reason="timeout")], ["sent again: 1 of 1"]),
        (
            [SENT, REFUSED],
            [
                "sent again: 2 of 2",
                "refused before as they are, and so again: 1 (nexus dead edit NUMBER corrects the"
                " request of a dead letter)",
            ],
        ),
        ([BACK], ["results put back, which job_results may refuse again: 1"]),
        (
            [SENT, BACK, LEFT],
            [
                "sent again: 1 of 2",
                "results put back, which job_results may refuse again: 1",
                STAYS,
            ],
        ),
    ],
)
def test_what_became_of_the_letters_is_told_by_kind(told: list[Retried], said: list[str]) -> None:
    assert list(outcome_of(told)) == said


def test_no_further_query_replaces_the_cause_of_a_refused_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look(*_: Any) -> bool:
        asked.append("whether it is there")
        if len(asked) > 1:
            raise CommandError("the database went away")
        return True

    def refuse(*_: Any) -> None:
        asked.append("to edit it")
        raise CommandError("expected the request_id to stay what it was")

    monkeypatch.setattr(dead_edit, "run", look)
    monkeypatch.setattr(dead_edit, "ask", refuse)
    config, request = tmp_path / "nexus.toml", tmp_path / "request.json"
    config.touch()
    request.write_text("{}")
    with pytest.raises(CommandError, match="to stay what it was"):
        dead_edit.edit(17, request=str(request), config=config)
    assert asked == ["whether it is there", "to edit it"]


@pytest.mark.parametrize(("typed", "agreed"), [("y\n", True), ("Yes\n", True), ("\n", False)])
def test_on_a_terminal_it_is_asked(
    typed: str,
    agreed: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stdin = io.StringIO(typed)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert confirmed("3 letters match", "Delete them?", "deletes them") is agreed
    assert capsys.readouterr().err == "3 letters match. Delete them? [y/N]\n"
