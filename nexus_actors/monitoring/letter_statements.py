"""The statements about dead letters that an operator is shown; the storage runs its own."""

from typing import Final

from nexus_actors.monitoring.command_text import sql_transaction, sql_value
from nexus_actors.storage.postgres.dead_letters import RESULT
from nexus_actors.storage.postgres.sql import Queues

MOST_NUMBERS: Final = 400
"""Numbers of letters in a line on record."""


def send_again(queues: Queues) -> str:
    """Sends what letters hold under new ids; the WHERE is yet to come."""
    return (
        f"SELECT pgmq.send({sql_value(queues.requests)}, (message -> 'request')"
        " || jsonb_build_object(\n"
        "    'request_id', (message ->> 'request_id') || '~' || replace(gen_random_uuid()::text,"
        " '-', ''),\n"
        "    'retry_of', message ->> 'request_id'))\n"
        f"FROM pgmq.q_{queues.dead}"
    )


def put_back(queues: Queues) -> str:
    """Sends the results that letters hold; the WHERE is yet to come."""
    return (
        f"SELECT pgmq.send({sql_value(queues.results)}, message -> 'result')\n"
        f"FROM pgmq.q_{queues.dead}"
    )


def of_chosen(chosen: str, action: str, *acts: str) -> str:
    """What is done to the letters of a query, on record, as one transaction."""
    return sql_transaction(
        f"CREATE TEMPORARY TABLE chosen ON COMMIT DROP AS\n{chosen};",
        *acts,
        f"SELECT nexus.record({sql_value(action)}, (SELECT count(*) FROM chosen) || ' letters',\n"  # noqa: S608 - shown, never run
        "    jsonb_build_object('letters', ARRAY(SELECT msg_id FROM chosen"
        f" LIMIT {MOST_NUMBERS})));",
    )


def chosen_letters(queues: Queues, reason: str, provider: str | None, most: int) -> str:
    """Asks for the numbers of a kind of letters, as `dead_letters.matches` has it, the newest
    first. `provider`: empty: they name none."""
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
