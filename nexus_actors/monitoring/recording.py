"""Records in nexus.audit which dead letters were sent again or deleted, and by whom."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import asyncpg

from nexus_actors.monitoring.letter_statements import MOST_NUMBERS
from nexus_actors.storage.postgres.connection import Connection, PostgresPool

P = ParamSpec("P")
T = TypeVar("T")


class Writes(Protocol):
    """Runs an operation that may write, in one transaction, like `Reader`."""

    async def writing(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run it."""
        ...


@dataclass(frozen=True, slots=True)
class Writing:
    """A pool in the form of `Writes`."""

    pool: PostgresPool

    async def writing(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """See `Writes`."""

        async def whole(connection: Connection) -> T:
            async with connection.transaction():
                return await operation(connection, *args, **kwargs)

        return await self.pool.run(whole)


@dataclass(frozen=True, slots=True)
class Recording:
    """What `dead_letters` runs on: what it changes is recorded in nexus.audit, in the same
    transaction."""

    where: Writes
    action: str
    by: str

    async def run(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """See `Writes`."""

        async def recorded(connection: Connection) -> T:
            found = await operation(connection, *args, **kwargs)
            detail = _done(found, args)
            if detail is not None:
                subject = f"letter {detail['letters'][0]}"
                if len(detail["letters"]) > 1:
                    subject = f"{len(detail['letters'])} letters"
                text = json.dumps({**detail, "letters": detail["letters"][:MOST_NUMBERS]})
                await connection.execute(
                    "SELECT nexus.record($1, $2, $3::text::jsonb, $4)",
                    *(self.action, subject, text, self.by),
                )
            return found

        return await self.where.writing(recorded)


def _done(found: object, args: Sequence[object]) -> dict[str, Any] | None:
    """What a statement has done, read from its result; None: nothing."""
    if not isinstance(found, asyncpg.Record):
        return None
    chosen = args[1]
    if "is_sent" in found.keys():  # noqa: SIM118 - a record is searched by its values
        if not found["is_sent"]:
            return None
        told = {it: found[it] for it in ("request_id", "new_id") if found.get(it) is not None}
        return {"letters": [chosen], **told}
    if "count" in found.keys() and isinstance(chosen, list) and found["count"]:  # noqa: SIM118
        return {"letters": chosen, "deleted": found["count"]}
    return None
