"""`nexus db migrate|url|roles`, and the database that other commands use.

An embedded server belongs to the running service, and commands connect to it. Commands that are
useful without a service start it for as long as they run.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.options import ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, note, say, say_text
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from nexus_actors.settings import Settings
    from nexus_actors.storage.postgres.migrate import Migrated
    from nexus_actors.storage.postgres.sql import Queues

Role = Annotated[str, Parameter(help="The role's name.")]
_ELSEWHERE: Final = (
    "if it runs with another config or URL: export NEXUS_CONFIG=FILE, or DATABASE_URL=URL"
)
_AS_STARTED: Final = (
    "give this terminal what the service has: export DATABASE_URL=URL, or NEXUS_CONFIG=FILE"
)
db = App(name="db", help="Prepare or find the database.", help_format="plaintext")


@db.command
def migrate(*, config: ConfigPath = None) -> None:
    """Create what is missing: PGMQ, the queues, the journal, job_results. Safe to repeat.

    Prints what was created, and the version of the schema: the number of its last migration.

    The service does the same at each start. Without a database URL this starts the embedded server,
    unless it is running, and stops it again.

    Example: nexus db migrate
    """
    settings = read_settings(config)
    done = run(_migrate, settings)
    if done.made:
        note(f"made {', '.join(done.made)}; the database is at version {done.version}")
    else:
        note(f"the database is up to date at version {done.version}")


@db.command
def url(*, config: ConfigPath = None) -> None:
    """Print the URL of the database, password included.

    Example: psql "$(nexus db url)"
    """
    from nexus_actors.operations.instance import running_pid
    from nexus_actors.storage.postgres.embedded import embedded_url

    settings = read_settings(config)
    if not settings.database.embedded:
        say(settings.database.url.get_secret_value())
        return
    data_dir = settings.service.data_dir
    if running_pid(data_dir) is None:
        note("the embedded database is stopped; it runs while the service does")
    _refuse_other_database(settings)
    say(embedded_url(data_dir))


@db.command
def roles(
    *,
    service: Role = "nexus_service",
    producer: Role = "nexus_producer",
    operator: Role = "nexus_operator",
    config: ConfigPath = None,
) -> None:
    """Print the SQL for the roles of the service, of producers and of operators, with least
    privileges.

    The operator's role is for the commands dead, ask, enqueue, result, explain, budgets, models,
    nodes and top.

    Run it as the owner of the database, after `nexus db migrate` and again after an upgrade: nexus
    db roles | psql …. It is one statement: everything is done, or nothing.

    Example: nexus db roles --service app_nexus
    """
    import re

    from nexus_actors.storage.postgres.sql import read

    for name in (service, producer, operator):
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
            raise CommandError(f"not a role's name (a-z, 0-9, _): {name}", exit_codes.USAGE)
    if len({service, producer, operator}) != 3:
        raise CommandError("the three roles must have different names", exit_codes.USAGE)
    queue = read_settings(config).queue
    names = {
        "requests": queue.requests,
        "results": queue.results,
        "dead": queue.dead,
        "service": service,
        "producer": producer,
        "operator": operator,
    }
    say_text(re.sub(r"\{(\w+)\}", lambda found: names[found[1]], read(".", "roles")), end="")


def running_database(settings: "Settings") -> str:
    """The URL of the database that the service uses. Does not start one."""
    from nexus_actors.operations.instance import running_pid
    from nexus_actors.settings.url_source import sought_url
    from nexus_actors.storage.postgres.embedded import embedded_url, server_pid

    if not settings.database.embedded:
        return settings.database.url.get_secret_value()
    data_dir = settings.service.data_dir
    if (pid := running_pid(data_dir)) is None:
        raise CommandError(
            f"no service is running with data_dir {data_dir}, so its embedded database is stopped",
            exit_codes.NOT_RUNNING,
            details=[sought_url(settings), f"start it: nexus start; {_ELSEWHERE}"],
        )
    _refuse_other_database(settings)
    if server_pid(data_dir) is None:
        raise CommandError(
            f"the service (pid {pid}) is starting its embedded database; try again in a moment",
            exit_codes.DATABASE,
        )
    return embedded_url(data_dir)


def _refuse_other_database(settings: "Settings") -> None:
    """Raise CommandError if the service that runs here uses a database that we do not know, as in a
    terminal without the variables of the one that started it."""
    from nexus_actors.operations.instance import pid_on_other_database
    from nexus_actors.settings.url_source import sought_url

    data_dir = settings.service.data_dir
    if (pid := pid_on_other_database(data_dir)) is not None:
        raise CommandError(
            f"the service (pid {pid}) with data_dir {data_dir} uses a database that is not known"
            " here",
            exit_codes.USAGE,
            details=[sought_url(settings), _AS_STARTED],
        )


@asynccontextmanager
async def open_database(settings: "Settings") -> AsyncIterator[str]:
    """Yield the URL of a running database. Starts an embedded server if none runs, and stops it."""
    from nexus_actors.operations.instance import claim_instance, running_pid
    from nexus_actors.storage.postgres.embedded import open_embedded

    if not settings.database.embedded:
        yield settings.database.url.get_secret_value()
        return
    data_dir = settings.service.data_dir
    _refuse_other_database(settings)
    with ExitStack() as stack:
        if running_pid(data_dir) is None:
            # A service that starts now must not use a server that is about to be stopped.
            stack.enter_context(claim_instance(data_dir))
        async with open_embedded(data_dir) as address:
            yield address


def queues_of(settings: "Settings") -> "Queues":
    """The names of the configured queues, for storage."""
    from nexus_actors.storage.postgres.sql import Queues

    return Queues.of(settings.queue)


async def _migrate(settings: "Settings") -> "Migrated":
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.migrate import migrate as apply

    async with open_database(settings) as address, open_postgres(address, pool_size=1) as pool:
        stores = settings.result_poller.enabled
        return await apply(pool, queues_of(settings), stores_results=stores)
