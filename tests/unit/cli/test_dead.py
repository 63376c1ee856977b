"""What `nexus dead retry` says in the end."""

import pytest

from nexus_actors.cli.letters import outcome_of
from nexus_actors.storage.postgres.dead_letters import Retried

SENT = Retried(1, "r", "r~1")
BACK = Retried(2, "s", put_back=True)
LEFT = Retried(3, why_not="gone")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([], ["sent again: 0 of 0"]),
        ([SENT, LEFT], ["sent again: 1 of 2"]),
        ([BACK], ["results put back, which job_results may refuse again: 1"]),
        (
            [SENT, BACK, LEFT],
            ["sent again: 1 of 2", "results put back, which job_results may refuse again: 1"],
        ),
    ],
)
def test_a_result_that_is_put_back_is_not_told_as_sent(
    told: list[Retried], said: list[str]
) -> None:
    assert list(outcome_of(told)) == said
