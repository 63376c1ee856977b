"""Checks of the database: whether it is reachable and suitable for the service."""

import math
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import trio

from nexus_actors.doctor.check import Check, Connected, Installation, aside
from nexus_actors.doctor.finding import Advice, Finding, NotChecked, Ok, Wrong
from nexus_actors.doctor.host import closed
from nexus_actors.monitoring.reading import connections_of
from nexus_actors.operations.instance import pid_on_other_database, running_pid
from nexus_actors.settings.url_source import sought_url
from nexus_actors.storage.postgres.connection import fetch, open_postgres
from nexus_actors.storage.postgres.database import BESIDE_POOL
from nexus_actors.storage.postgres.embedded import embedded_url
from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.migrate import check_encoding
from nexus_actors.storage.postgres.places import host_names, is_refused, is_tls, location
from nexus_actors.storage.postgres.sessions import TransactionPooling
from nexus_actors.storage.postgres.sql import Queues, read

NAME: Final = "nexus doctor"
"""Application name of its sessions."""
OLDEST: Final = 14
"""The oldest PostgreSQL version. Older ones lack pg_column_compression, which each lease uses."""
MOST_SKEW: Final = 5.0
"""Seconds by which two clocks may differ."""
_CONNECTIONS: Final = 2
_STATEMENT: Final = 3.0
"""Timeout of one statement in seconds."""
_STOPS: Final = "no service can start; one that runs keeps answers in its spool, and reads nothing"
_SILENT: Final = (
    "see whether it runs, whether the host and port of [database] url are right, and whether a"
    " firewall drops what is sent there"
)
_SEE: Final = NotChecked("see database")


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Findings of the database checks if there is no connection."""

    database: Finding
    pooler: Finding
    others: NotChecked


def url_of(at: Installation) -> str | NotChecked:
    """The database's URL. An embedded one exists only while the service runs."""
    settings = at.settings
    if not settings.database.embedded:
        return settings.database.url.get_secret_value()
    if (shut := closed(at.data_dir)) is not None:
        return shut
    if running_pid(at.data_dir) is None:
        why = "it is the service's own PostgreSQL, which runs while the service does"
        return NotChecked(why, "nexus start; or give [database] url")
    if (pid := pid_on_other_database(at.data_dir)) is not None:
        why = f"the service here (pid {pid}) uses a database that is not known here"
        fix = "run nexus doctor in the service's environment, or export DATABASE_URL=URL"
        return NotChecked(f"{why}; {sought_url(settings)}", fix)
    return embedded_url(at.data_dir)


@asynccontextmanager
async def connected(at: Installation) -> AsyncIterator[Connected | Unreachable]:
    """Connect for the duration of the block; yields the reason if that fails. Connecting takes at
    most `patience` seconds. Raises OSError if data_dir must be read for it but cannot be."""
    where = "the database"
    found: Unreachable | None = None
    with trio.CancelScope(deadline=trio.current_time() + at.given.patience) as scope:
        url = await aside(url_of, at)
        if isinstance(url, NotChecked):
            found = Unreachable(url, _SEE, _SEE)
        else:
            where = location(url)
            found = await _unknown_name(url, where)
        if isinstance(url, str) and found is None:
            try:
                async with open_postgres(
                    url,
                    pool_size=_CONNECTIONS,
                    command_timeout=_STATEMENT,
                    application_name=NAME,
                ) as pool:
                    scope.deadline = math.inf  # from here, each check has its own time limit
                    yield Connected(
                        given=at.given,
                        settings=at.settings,
                        pool=pool,
                        queues=Queues.of(at.settings.queue),
                        where=where,
                    )
                    return
            except DatabaseStartError as error:
                found = refused(error, where)
    if found is None:
        found = _away(f"{where} has not answered within {at.given.patience:g} s", _SILENT)
    yield found


async def _unknown_name(url: str, where: str) -> Unreachable | None:
    """The finding if none of the URL's host names resolves; None if one does, or there are none.
    This comes first, since the driver's own look-up cannot be cancelled."""
    names, failed = host_names(url), None
    for name in names:
        try:
            await trio.socket.getaddrinfo(name, None)
        except socket.gaierror as error:
            failed = error
        else:
            return None
    if failed is None:
        return None
    problem = (
        "cannot be looked up at present" if failed.errno == socket.EAI_AGAIN else "is not known"
    )
    fix = (
        f"correct the host in [database] url (or DATABASE_URL); getent hosts {names[-1]} asks as"
        " the service does"
    )
    return _away(f"{where}: the host's name {problem}", fix)


def _away(cause: str, fix: str) -> Unreachable:
    return Unreachable(Wrong(cause, _STOPS, fix), _SEE, _SEE)


def refused(error: DatabaseStartError, where: str) -> Unreachable:
    """The reason for which the start of a service would be refused."""
    cause = error.__cause__
    if isinstance(cause, TransactionPooling):
        problem, _, fix = str(cause).rpartition(": ")
        return Unreachable(
            Ok(f"{where}: there is a pooler, that lets us in"),
            Wrong(problem, "nexus start is refused", fix),
            NotChecked("see pooler"),
        )
    return _away(str(error), _fix(error, cause, where))


def _fix(error: DatabaseStartError, cause: BaseException | None, where: str) -> str:
    by_kind = {
        "wrong_password": "correct user and password in [database] url (or DATABASE_URL), or what"
        " pg_hba.conf allows: psql with the same URL asks likewise",
        "unknown_database": f"CREATE DATABASE {where.rpartition('/')[2]} ENCODING 'UTF8' TEMPLATE"
        " template0; or correct its name in [database] url",
        "missing_permission": f"GRANT CONNECT ON DATABASE {where.rpartition('/')[2]} TO the"
        " service's role",
    }
    if cause is not None and is_tls(cause):
        return _fix_of_tls(cause)
    if isinstance(cause, asyncpg.TooManyConnectionsError):
        return (
            "end sessions that nobody needs (pg_stat_activity), raise max_connections or the limit"
            " of the role or database, or lower [database] pool_size"
        )
    if isinstance(cause, asyncpg.CannotConnectNowError):
        return "wait: it is starting or stopping; its log says which"
    if cause is not None and is_refused(cause):
        return "start PostgreSQL there (systemctl start postgresql), or correct host and port"
    return by_kind.get(error.kind, _SILENT)


def _fix_of_tls(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "give the authority that signed it in [database] url: sslrootcert=FILE"
    return (
        "have the server offer TLS (ssl = on), or ask for none: sslmode=disable in [database] url"
    )


def examined(at: Connected, name: str) -> str:
    """A statement of `storage/postgres/examination/`, with this queue's names."""
    return at.queues.named(read("examination", name))


async def row_of(at: Connected, name: str, *arguments: object) -> dict[str, Any]:
    """The only row of such a statement."""
    rows = await at.pool.run(fetch, examined(at, name), *arguments)
    return dict(rows[0])


async def look_at_database(at: Connected) -> Sequence[Finding]:
    """Report that the database was reached."""
    return [Ok(f"{at.where} is reached")]


async def look_at_pooler(_: Connected) -> Sequence[Finding]:
    """Report what `open_postgres` found by comparing the sessions of two connections."""
    return [Ok("each connection has a session of its own")]


async def look_at_server(at: Connected) -> Sequence[Finding]:
    """Check the server's version."""
    row = await row_of(at, "server")
    if row["number"] // 10_000 < OLDEST:
        cause = f"it is PostgreSQL {row['version']}, and {OLDEST} or newer is needed"
        leads_to = "migrations and statements fail"
        return [Wrong(cause, leads_to, f"upgrade the server: pg_upgrade to {OLDEST} or newer")]
    return [Ok(f"PostgreSQL {row['version']}")]


async def look_at_encoding(at: Connected) -> Sequence[Finding]:
    """Check that the encoding can store every character of an answer."""
    try:
        await at.pool.run(check_encoding, at.where)
    except DatabaseStartError as error:
        leads_to = "nexus start is refused: a paid answer would be lost for a character"
        return [Wrong(error.cause, leads_to, error.fix)]
    return [Ok("UTF8")]


async def look_at_writing(at: Connected) -> Sequence[Finding]:
    """Check that the database is writable."""
    row = await row_of(at, "server")
    leads_to = "nothing can be leased or stored; what runs keeps its answers in the spool"
    if row["standby"]:
        fix = "name the primary in [database] url; of several hosts: target_session_attrs=primary"
        return [Wrong(f"{at.where} is a standby, which is read-only", leads_to, fix)]
    if not row["read_only"]:
        return [Ok("it takes what is written")]
    database, role = row["database"], row["role"]
    fixes = {
        "database": f"ALTER DATABASE {database} RESET default_transaction_read_only",
        "user": f"ALTER ROLE {role} RESET default_transaction_read_only",
        "database user": f"ALTER ROLE {role} IN DATABASE {database}"
        " RESET default_transaction_read_only",
    }
    fix = fixes.get(row["source"], "set default_transaction_read_only = off in postgresql.conf")
    cause = f"default_transaction_read_only is on, set for the {row['source']}"
    return [Wrong(cause, leads_to, fix)]


async def look_at_connections(at: Connected) -> Sequence[Finding]:
    """Check that the server has room for the connections of one more service."""
    row = await row_of(at, "connections", NAME)
    beside = BESIDE_POOL + connections_of(at.settings)
    wanted = at.settings.database.pool_size + beside
    left = {
        of: row[f"{of}_most"] - row[f"{of}_used"]
        for of in ("server", "role", "database")
        if row[f"{of}_most"] >= 0
    }
    least = min(left, key=lambda it: left[it])
    room = f"{max(left[least], 0)} connections are left of the {least}'s {row[f'{least}_most']}"
    if left[least] >= wanted:
        return [Ok(f"{room}; a service takes {wanted} at most")]
    cause = f"{room}, and a service takes {wanted} (pool_size + {beside})"
    more = {
        "server": "raise max_connections in postgresql.conf",
        "role": f"ALTER ROLE {row['role']} CONNECTION LIMIT {row['role_used'] + wanted}",
        "database": f"ALTER DATABASE {row['database']}"
        f" CONNECTION LIMIT {row['database_used'] + wanted}",
    }[least]
    fix = f"{more}, or [database] pool_size = {max(left[least] - beside, 1)}"
    if await aside(running_pid, at.data_dir) is not None:
        return [Advice(cause, "the one that runs has its own; no further node can start", fix)]
    return [Wrong(cause, "nexus start waits for connections, or works with too few", fix)]


async def look_at_clock(at: Connected) -> Sequence[Finding]:
    """Compare this host's clock with the database's."""
    before = at.given.now()
    row = await row_of(at, "server")
    after = at.given.now()
    between = min(max(row["clock"], before), after)
    skew = row["clock"] - between  # the round trip is not skew
    if abs(skew) <= MOST_SKEW:
        return [Ok(f"within {MOST_SKEW:g} s of the database's")]
    way = "behind" if skew > 0 else "ahead of"
    return [
        Advice(
            f"this host's clock is {abs(skew):.0f} s {way} the database's",
            "times in log and tables disagree; certificates and dates in answers (Retry-After) are"
            " misjudged",
            "timedatectl set-ntp true, on the one that is wrong",
        )
    ]


CHECKS: Final = (
    Check("database", look_at_database),
    Check("pooler", look_at_pooler),
    Check("server", look_at_server),
    Check("encoding", look_at_encoding),
    Check("writing", look_at_writing),
    Check("connections", look_at_connections),
    Check("clock", look_at_clock),
)
