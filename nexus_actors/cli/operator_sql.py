"""Calls of SQL functions for operators. A refusal by SQL exits with the code of wrong usage, an
unknown node with that of an unknown name."""

import getpass
import re
import socket
from typing import TYPE_CHECKING, Any, Final

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import running_database
from nexus_actors.cli.report import CommandError
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from nexus_actors.settings import Settings
    from nexus_actors.storage.postgres.connection import Connection

_FUNCTION: Final = re.compile(r"^nexus\.\w+: ")
"""The SQL function that refuses: who runs a command has not called it."""
_NO_NODE: Final = 'nexus.node_id: there is no node "'


def call_as_operator(
    settings: "Settings", statement: str, *arguments: object
) -> list[dict[str, Any]]:
    """Run a statement with the caller's name as the last argument."""
    return ask(settings, statement, *arguments, caller())


def ask(settings: "Settings", statement: str, *arguments: object) -> list[dict[str, Any]]:
    """Run a statement that does not need the caller's name."""
    from nexus_actors.storage.errors import StorageRefused

    try:
        return run(_run, running_database(settings), statement, arguments)
    except* StorageRefused as refused:
        error = refused.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        told = str(error).removeprefix("the database refused: ")
        unknown = told.startswith(_NO_NODE)
        code = exit_codes.TIMED_OUT if unknown else exit_codes.USAGE
        raise CommandError(_FUNCTION.sub("", told), code) from error


async def _run(url: str, statement: str, arguments: tuple[object, ...]) -> list[dict[str, Any]]:
    from nexus_actors.storage.postgres.connection import open_postgres

    async def fetch(connection: "Connection") -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(statement, *arguments)]

    async with open_postgres(url, pool_size=1) as pool:
        return await pool.run(fetch)


def caller() -> str:
    """The caller's name, for records."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container, the user may not exist
        user = "somebody"
    return f"{user}@{socket.gethostname()}"[:255]
