"""`nexus dead list|show|retry|purge`: requests that failed for good."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter, validators

from nexus_actors.cli.database import running_database
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, note, print_json

if TYPE_CHECKING:
    from nexus_actors.storage.postgres.dead_letters import DeadLetter, Which

dead = App(name="dead", help="Requests that failed for good.", help_format="plaintext")

Number = Annotated[int, Parameter(name="NUMBER", help="As `dead list` shows them.")]
Reason = Annotated[str | None, Parameter(help="An error's name, such as timeout.")]
Provider = Annotated[str | None, Parameter(help="A provider's name.")]
OlderThan = Annotated[str | None, Parameter(help="An age: 90s, 30m, 12h or 7d.")]
Limit = Annotated[
    int, Parameter(help="At most so many, the oldest first.", validator=validators.Number(gte=1))
]
All = Annotated[bool, Parameter(name="--all", negative="", help="All of them, up to the limit.")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dead.command(name="list")
def list_(
    *,
    reason: Reason = None,
    provider: Provider = None,
    older_than: OlderThan = None,
    limit: Limit = 100,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """List dead letters, the oldest first, with what was wrong."""
    letters = _find(config, _which((), reason, provider, older_than, limit))
    if json:
        print_json([_row(letter) for letter in letters])
        return
    from rich import box
    from rich.table import Table

    from nexus_actors.cli.screen import Screen

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("number", justify="right", no_wrap=True)
    for name in ("request", "reason", "provider", "since"):
        table.add_column(name, overflow="fold")
    table.add_column("what was wrong", overflow="fold")
    for letter in letters:
        table.add_row(
            str(letter.number),
            letter.request_id or "-",
            letter.reason or "-",
            letter.provider or "-",
            f"{letter.dead_at:%Y-%m-%d %H:%M}",
            f"{letter.path}: {letter.message}" if letter.path else letter.message or "-",
        )
    Screen().print(table)


@dead.command
def show(number: int, /, *, config: ConfigPath = None) -> None:
    """Print one dead letter as JSON: the request as it was sent, and why it failed."""
    import json

    letters = _find(config, _which((number,), None, None, None, 1))
    if not letters:
        raise CommandError(f"there is no dead letter {number}")
    print_json(json.loads(letters[0].letter))


@dead.command
def retry(
    *numbers: Number,
    reason: Reason = None,
    provider: Provider = None,
    older_than: OlderThan = None,
    limit: Limit = 1000,
    all_: All = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Send the requests of these dead letters again, each under an id of its own (the old one, ~,
    the letter's number), with all its attempts before it. The letters are archived.

    The journal's `retry_of` names the request that failed. Exit code 1 if some could not be sent.
    """
    from nexus_actors.storage.postgres import dead_letters

    which = _chosen(numbers, reason, provider, older_than, limit, all_)
    chosen = [letter.number for letter in _find(config, which)]
    sent = _run(config, dead_letters.retry, chosen)
    if json:
        print_json([asdict(one) for one in sent])
    else:
        for one in sent:
            print(f"{one.new_id}")
    note(f"sent again: {len(sent)} of {len(chosen)}")
    _tell_limit(chosen, limit)
    left = sorted({*chosen, *numbers} - {one.number for one in sent})
    if left:
        told = ", ".join(map(str, left[:20]))
        raise CommandError(f"not sent (no such letter, or its request has no id): {told}")


@dead.command
def purge(
    *numbers: Number,
    reason: Reason = None,
    provider: Provider = None,
    older_than: OlderThan = None,
    limit: Limit = 1000,
    all_: All = False,
    config: ConfigPath = None,
) -> None:
    """Delete these dead letters for good, requests included."""
    from nexus_actors.storage.postgres import dead_letters

    which = _chosen(numbers, reason, provider, older_than, limit, all_)
    chosen = [letter.number for letter in _find(config, which)]
    note(f"deleted: {_run(config, dead_letters.purge, chosen)}")
    _tell_limit(chosen, limit)


def _tell_limit(chosen: Sequence[int], limit: int) -> None:
    if len(chosen) == limit:
        note(f"that is as many as --limit allows ({limit}); there may be more")


def _chosen(
    numbers: Sequence[int],
    reason: str | None,
    provider: str | None,
    older_than: str | None,
    limit: int,
    all_: bool,
) -> "Which":
    from nexus_actors.cli import exit_codes

    if not (numbers or reason or provider or older_than or all_):
        told = "which? numbers, --reason, --provider, --older-than, or --all"
        raise CommandError(told, exit_codes.USAGE)
    return _which(numbers, reason, provider, older_than, limit)


def _which(
    numbers: Sequence[int],
    reason: str | None,
    provider: str | None,
    older_than: str | None,
    limit: int,
) -> "Which":
    from nexus_actors.storage.postgres.dead_letters import Which

    return Which(
        numbers=tuple(numbers) or None,
        reason=reason,
        provider=provider,
        older_than=None if older_than is None else _seconds(older_than),
        limit=limit,
    )


def _seconds(age: str) -> float:
    from nexus_actors.cli import exit_codes

    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", age)
    if found is None:
        raise CommandError(
            f"--older-than: expected 90s, 30m, 12h or 7d, not {age}", exit_codes.USAGE
        )
    return float(found[1]) * _UNITS[found[2]]


def _row(letter: "DeadLetter") -> dict[str, Any]:
    row = asdict(letter)
    del row["letter"]
    return row


def _find(config: ConfigPath, which: "Which") -> list["DeadLetter"]:
    from nexus_actors.storage.postgres import dead_letters

    found: list[DeadLetter] = _run(config, dead_letters.find, which)
    return found


def _run(config: ConfigPath, operation: Any, argument: object) -> Any:
    """Run an operation on dead letters in the database of the config."""
    import trio

    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.sql import Queues

    settings = read_settings(config)
    queues = Queues(
        requests=settings.queue.requests, results=settings.queue.results, dead=settings.queue.dead
    )

    async def run() -> Any:
        async with open_postgres(running_database(settings), pool_size=1) as pool:
            return await pool.run(operation, queues, argument)

    return trio.run(run)
