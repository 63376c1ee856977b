"""`nexus result` for eyes."""

from datetime import UTC, datetime

import pytest

from nexus_actors.cli.result import _show
from nexus_actors.contract.result import Answer, LLMResult, Usage


def test_what_was_not_sent_as_asked_is_told_and_moves_no_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = Answer(
        response="Yes.",
        provider="one",
        model="m",
        usage=Usage(1, 2, 3),
        cost=0.0,
        dropped=("temperature: the model takes none", "messages.\x1b[2Jodd"),
    )
    result = LLMResult(
        request_id="r",
        agent_id=None,
        complexity="simple",
        task_type=None,
        outcome=answer,
        latency_ms=5,
        attempts=1,
        timestamp=datetime.now(UTC),
    )
    assert _show(result, as_json=False) == 0
    said = capsys.readouterr()
    assert said.out == "Yes.\n"
    assert said.err.splitlines()[1:] == [
        "not sent as asked: temperature: the model takes none",
        "not sent as asked: messages.\\x1b[2Jodd",
    ]
