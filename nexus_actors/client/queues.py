"""Direct access to PGMQ, as `PgmqClient` gives it to Elixir applications."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nexus_actors.client.connection import ClientDatabase
from nexus_actors.client.errors import InvalidArguments, Unavailable
from nexus_actors.contract.json_text import Parsed, dump, parse
from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.connection import fetch
from nexus_actors.storage.postgres.sql import queue_name


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMessage:
    """A message that was read."""

    msg_id: int
    read_ct: int
    """How often it was read, including this time."""
    enqueued_at: datetime
    text: str | None
    """The JSON as text; None for SQL NULL."""

    @property
    def body(self) -> Any:
        """The JSON, decoded. Raises ValueError if it is nested too deeply or a number is too large.

        Each message is decoded by itself, so a bad one does not affect the others.
        """
        match parse("null" if self.text is None else self.text):
            case Parsed(value):
                return value
            case unparsable:
                raise ValueError(unparsable.reason)


class QueueClient:
    """`LLMService.queues`. Every method raises InvalidArguments if the queue's name is not valid,
    and Unavailable if the database fails (no such queue, no permission, not reachable).
    """

    def __init__(self, database: ClientDatabase, settings: QueueSettings) -> None:
        self._database = database
        self._settings = settings

    async def send_message(self, queue: str, message: Any, *, delay: float = 0.0) -> int:
        """Put one JSON value into the queue, visible after `delay` seconds (rounded up). Returns
        its msg_id.
        """
        sql = "SELECT pgmq.send($1, $2::text::jsonb, $3::integer) AS msg_id"
        rows = await self._fetch(sql, _name(queue), dump(message), math.ceil(delay))
        return int(rows[0]["msg_id"])

    async def read_messages(
        self, queue: str, quantity: int = 1, *, visibility_timeout: float = 30.0
    ) -> list[QueueMessage]:
        """Up to `quantity` messages, invisible to other readers for `visibility_timeout` seconds
        (rounded up). One that is not acknowledged by then is read again.
        """
        sql = (
            "SELECT msg_id, read_ct, enqueued_at, message::text AS text"
            " FROM pgmq.read($1, $2::integer, $3::integer) ORDER BY msg_id"
        )
        rows = await self._fetch(sql, _name(queue), math.ceil(visibility_timeout), quantity)
        return [QueueMessage(**row) for row in rows]

    async def ack_message(self, queue: str, msg_id: int) -> bool:
        """Archive the message, or delete it if the settings say so. False if it does not exist."""
        sql = f"SELECT pgmq.{self._settings.acknowledge}($1, $2::bigint) AS done"
        rows = await self._fetch(sql, _name(queue), msg_id)
        return bool(rows[0]["done"])

    async def ensure_queue(self, queue: str) -> None:
        """Create the queue if it does not exist."""
        name = _name(queue)
        if not (await self._fetch("SELECT to_regclass($1) AS q", f"pgmq.q_{name}"))[0]["q"]:
            await self._fetch("SELECT pgmq.create($1)", name)

    async def ensure_all_queues(self) -> None:
        """Create those of the three queues in the settings that do not exist."""
        for queue in (self._settings.requests, self._settings.results, self._settings.dead):
            await self.ensure_queue(queue)

    async def _fetch(self, sql: str, *args: object) -> list[Any]:
        try:
            return await self._database.run(fetch, sql, *args)
        except StorageError as error:
            raise Unavailable(str(error)) from error


def _name(queue: str) -> str:
    try:
        return queue_name(queue)
    except (TypeError, ValueError) as error:
        raise InvalidArguments(f"queue: {error}") from error
