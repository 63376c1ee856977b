"""`nexus dead edit`: correct the request of a dead letter before it is retried."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import queues_of, running_database
from nexus_actors.cli.letters import no_letter
from nexus_actors.cli.operator_sql import ask, caller
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, note, print_json
from nexus_actors.cli.running import run
from nexus_actors.cli.sources import opened

if TYPE_CHECKING:
    from nexus_actors.settings import Settings

LARGEST = 16 * 2**20
"""The largest request that nexus.edit_letter accepts, in bytes."""


def edit(
    number: Annotated[
        int,
        Parameter(
            name="NUMBER",
            help="As shown by `dead list`.",
            validator=Number(gte=-(2**63), lt=2**63),
        ),
    ],
    /,
    *,
    request: Annotated[
        str,
        Parameter(
            name="--request",
            allow_leading_hyphen=True,  # of - itself
            help="File with the whole request as JSON; - is standard input.",
        ),
    ],
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Replace the request in a dead letter; its id stays the same.

    The previous request is kept in the letter (edits: the first and the last nine), and the names
    of the changed fields are recorded: see nexus audit. Then send it: nexus dead retry NUMBER.

    Example: nexus dead edit 17 --request corrected.json
    Exit codes: 0 done; 2 no JSON object, or another id; 5 no such letter; 4 the database refuses.
    """
    from nexus_actors.contract.json_text import Parsed, parse

    with opened(request) as source:
        data = source.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise CommandError(f"{request}: more than {LARGEST:,} bytes", exit_codes.USAGE)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CommandError(f"{request}: not UTF-8", exit_codes.USAGE) from error
    if not isinstance(parse(text), Parsed):
        raise CommandError(f"{request}: expected one JSON object", exit_codes.USAGE)
    settings = read_settings(config)
    # Beforehand, since the function refuses whatever it refuses with the same SQLSTATE.
    if not run(_is_there, settings, number):
        raise no_letter(number)
    statement = "SELECT nexus.edit_letter($1, $2::jsonb, $3, $4)"
    ask(settings, statement, number, text, caller(), settings.queue.dead)
    if json:
        print_json({"number": number, "edited": True})
    else:
        note(f"dead letter {number} has a new request; send it: nexus dead retry {number}")


async def _is_there(settings: "Settings", number: int) -> bool:
    """Whether the queue has a letter with this number, whatever its content."""
    from nexus_actors.storage.postgres import dead_letters
    from nexus_actors.storage.postgres.connection import open_postgres

    which = dead_letters.Which(numbers=(number,))
    async with open_postgres(running_database(settings), pool_size=1) as pool:
        return bool(await dead_letters.numbers(pool, queues_of(settings), which))
