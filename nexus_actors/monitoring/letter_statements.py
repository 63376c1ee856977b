"""Statements about dead letters as shown to operators. The service runs its own."""

from typing import Final

from nexus_actors.monitoring.command_text import sql_transaction, sql_value
from nexus_actors.storage.postgres.dead_letters import RESULT
from nexus_actors.storage.postgres.sql import Queues

MOST_NUMBERS: Final = 400
"""The most numbers of letters in one record of nexus.audit."""


def send_again(queues: Queues) -> str:
    """A statement that sends letters' requests under new ids. The caller appends a WHERE clause."""
    return (
        f"SELECT pgmq.send({sql_value(queues.requests)}, (message -> 'request')"
        " || jsonb_build_object(\n"
        "    'request_id', (message ->> 'request_id') || '~' || replace(gen_random_uuid()::text,"
        " '-', ''),\n"
        "    'retry_of', message ->> 'request_id'))\n"
        f"FROM pgmq.q_{queues.dead}"
    )


def put_back(queues: Queues) -> str:
    """A statement that sends letters' results. The caller appends a WHERE clause."""
    return (
        f"SELECT pgmq.send({sql_value(queues.results)}, message -> 'result')\n"
        f"FROM pgmq.q_{queues.dead}"
    )


def of_chosen(chosen: str, action: str, *acts: str) -> str:
    """One transaction that applies statements to the letters of a query, and records it."""
    return sql_transaction(
        f"CREATE TEMPORARY TABLE chosen ON COMMIT DROP AS\n{chosen};",
        *acts,
        f"SELECT nexus.record({sql_value(action)}, (SELECT count(*) FROM chosen) || ' letters',\n"  # noqa: S608 - shown, never run
        "    jsonb_build_object('letters', ARRAY(SELECT msg_id FROM chosen"
        f" LIMIT {MOST_NUMBERS})));",
    )


def chosen_letters(queues: Queues, reason: str, provider: str | None, most: int) -> str:
    """A query for the numbers of letters of a kind, newest first; the same kind as
    `dead_letters.matches`. `provider`: empty for letters that name none, None for all."""
    is_result = "(message ? 'result' AND NOT message ? 'request')"
    wanted = is_result
    if reason != RESULT:
        wanted = f"message ->> 'reason' = {sql_value(reason)} AND NOT {is_result}"
    if provider is not None:
        found = ", ".join(
            f"message #> '{{{it},provider}}'" for it in ("detail", "result", "excerpt")
        )
        wanted += f"\n  AND coalesce(coalesce({found}) #>> '{{}}', '') = {sql_value(provider)}"
    return (
        f"SELECT msg_id FROM pgmq.q_{queues.dead} WHERE {wanted}"  # noqa: S608 - shown, never run
        f"\nORDER BY msg_id DESC LIMIT {most}"
    )
