"""Actions on the requests of a filter."""

from dataclasses import dataclass, field, replace
from typing import Self

from nexus_actors.monitoring.actions import Action
from nexus_actors.monitoring.command_text import shell_word, sql_value
from nexus_actors.monitoring.letter_actions import AT_ONCE, retry_all
from nexus_actors.monitoring.letters import MOST_SEARCHED, find_letters
from nexus_actors.monitoring.reading import Reader
from nexus_actors.monitoring.requests import Filter, read_requests
from nexus_actors.storage.postgres.sql import Queues


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryFailed(Action):
    """Send failed requests of a filter again through their dead letters, at most `AT_ONCE`, newest
    first."""

    which: Filter
    """Its state is `failed`."""
    queues: Queues = field(default_factory=Queues)

    @property
    def question(self) -> str:
        """See Action."""
        return (
            f"Send the failed ones of these requests again, at most {AT_ONCE}, the last to finish"
            " first? Each is sent under a new id with all its attempts, and its dead letter is"
            f" archived. Requests without a letter among the newest {MOST_SEARCHED:,} stay as they"
            " are."
        )

    @property
    def sql(self) -> str:
        """See Action."""
        return f"-- The letters, for the command below:\n{_letters(self.which, self.queues)};"

    @property
    def cli(self) -> str:
        """See Action."""
        query = _letters(self.which, self.queues).replace("\n", " ")
        return f"nexus dead retry $(psql -Atc {shell_word(query)})"

    def among(self, queues: Queues) -> Self:
        """See Action."""
        return replace(self, queues=queues)

    async def preview(self, reader: Reader) -> str:
        """See Action."""
        found = await read_requests(reader, self.which, most=1)
        if not found.matching:
            return "No request matches now."
        return f"{min(found.matching, AT_ONCE):,} of {found.matching:,} that were searched."

    async def carry_out(self, reader: Reader, by: str) -> str:
        """See Action."""
        found = await read_requests(reader, self.which, most=AT_ONCE)
        ids = {it.request_id for it in found.requests}
        letters = await find_letters(reader, ids)
        done = await retry_all(reader, [it.number for it in letters.values()], by)
        without = len(ids) - len(letters)
        remark = f" {without} have no letter among the newest {MOST_SEARCHED:,}." if without else ""
        return f"{done}{remark}"


def _letters(which: Filter, queues: Queues) -> str:
    columns = {
        "agent_id": which.agent,
        "task_type": which.task,
        "provider": which.provider,
        "model": which.model,
        "error_type": which.error,
    }
    wanted = [f"r.{name} = {sql_value(it)}" for name, it in columns.items() if it is not None]
    wanted += [f"r.finished_at >= {sql_value(which.since)}"]
    wanted += [] if which.until is None else [f"r.finished_at <= {sql_value(which.until)}"]
    wanted += [] if which.least_cost is None else [f"r.cost >= {which.least_cost}"]
    return (
        f"SELECT d.msg_id FROM pgmq.q_{queues.dead} AS d\n"  # noqa: S608 - shown, never run
        "JOIN nexus.requests AS r ON r.request_id = d.message ->> 'request_id'\n"
        f"WHERE r.state = 'failed' AND {' AND '.join(wanted)}\n"
        f"ORDER BY r.finished_at DESC LIMIT {AT_ONCE}"
    )
