"""`nexus dead`: requests that failed for good, and results that `job_results` refused."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter, validators

from nexus_actors.cli import exit_codes
from nexus_actors.cli.confirm import confirmed
from nexus_actors.cli.database import queues_of, running_database
from nexus_actors.cli.letters import (
    SHOWN,
    absent,
    check_found,
    no_letter,
    outcome_of,
    show_begun,
    show_odd,
    table_of,
    tell_limit,
    tell_retried,
)
from nexus_actors.cli.operator_sql import caller
from nexus_actors.cli.options import AsJson, ConfigPath, OlderThan, Yes, age, read_settings
from nexus_actors.cli.report import CommandError, complain, note, print_json, say, say_text
from nexus_actors.cli.running import run as run_async

if TYPE_CHECKING:
    from nexus_actors.storage.errors import StorageError
    from nexus_actors.storage.postgres.connection import PostgresPool
    from nexus_actors.storage.postgres.dead_letters import DeadLetter, Retried, Which
    from nexus_actors.storage.postgres.sql import Queues

T = TypeVar("T")

dead = App(name="dead", help="Requests that failed for good.", help_format="plaintext")
dead.command("nexus_actors.cli.dead_edit:edit", name="edit", help="Replace a letter's request.")

Number = Annotated[int, Parameter(name="NUMBER", help="As shown by `dead list`.")]
Reason = Annotated[str | None, Parameter(help="An error type, such as timeout.")]
Provider = Annotated[str | None, Parameter(help="A provider; '' for letters without one.")]
Limit = Annotated[
    int,
    Parameter(help="Maximum number of letters, oldest first.", validator=validators.Number(gte=1)),
]
Newest = Annotated[bool, Parameter(negative="", help="Newest first.")]
All = Annotated[bool, Parameter(name="--all", negative="", help="All letters, up to the limit.")]
Rate = Annotated[
    float, Parameter(help="Maximum number per second.", validator=validators.Number(gt=0))
]
SameId = Annotated[bool, Parameter(negative="", help="Keep the request ids.")]
CANCELLED = "cancelled"
"""The reason of letters about cancelled requests."""


@dead.command(name="list")
def list_(
    *,
    reason: Reason = None,
    provider: Provider = None,
    older_than: OlderThan = None,
    limit: Limit = 100,
    newest: Newest = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """List dead letters with their reasons, oldest first.

    Example: nexus dead list --reason timeout --older-than 2h
    """
    which = _which((), reason, provider, older_than, limit, newest)
    letters = _find(config, which)
    check_found(len(letters), which, read_settings(config))
    if json:
        print_json([asdict(letter) for letter in letters])
        return
    if not letters:
        asked = reason or provider is not None or older_than
        say("there is no dead letter of that kind" if asked else "there are no dead letters")
        return
    from nexus_actors.cli.screen import Screen

    screen = Screen()
    screen.print(table_of(letters, screen.width))


@dead.command
def show(
    which: Annotated[
        str, Parameter(name="NUMBER", help="As shown by `dead list`; or a request id.")
    ],
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="Print all of it.")] = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Print one dead letter as JSON: the request as it was sent, and why it failed.

    For a result that `job_results` refuses: the result, and why it is refused. A request id selects
    the last letter about that request. A field of more than 64 KB and a number of more than 100
    digits are cut; --all or --json prints them whole.

    Example: nexus dead show 17
    Exit codes: 0 done; 1 it is too large; 5 no such letter; 4 the database cannot be read.
    """
    from nexus_actors.contract.json_text import Parsed, parse
    from nexus_actors.contract.shown_text import as_seen_json
    from nexus_actors.storage.postgres import dead_letters

    number, letter = _run(config, lambda pool, queues: dead_letters.find_one(pool, queues, which))
    if letter is None:
        raise no_letter(which)
    if letter.text is None:
        told = f"at most {dead_letters.LARGEST:,} bytes are shown; it has {letter.bytes:,} or more"
        raise CommandError(f"dead letter {number} is not shown: {letter.fault} ({told})")
    parsed = parse(letter.text)
    match parsed:
        case Parsed({"result": _, **others}) if "request" not in others:
            note(f"a result, not in job_results; put it back: nexus dead retry {number}")
        case Parsed({"request": {"timeout": int(timeout)}}) if 1 < timeout < 10**12:
            note(f"its timeout, in the message {timeout} ms, is {timeout / 1000:g} s")
        case _:
            pass
    whole = all_ or json
    if not isinstance(parsed, Parsed):  # valid JSON, but not for Python's parser
        say_text(as_seen_json(letter.text)) if whole else show_odd(letter.text)
    elif not whole and len(letter.text) > SHOWN:
        show_begun(parsed.value)
    else:
        print_json(parsed.value)


@dead.command
def retry(
    *numbers: Number,
    reason: Reason = None,
    provider: Provider = None,
    older_than: OlderThan = None,
    limit: Limit = 1000,
    newest: Newest = False,
    all_: All = False,
    rate: Rate = 20.0,
    same_id: SameId = False,
    yes: Yes = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> int:
    """Send the requests of dead letters again, each under a new id, and archive the letters.

    The new id is the old one, ~ and a random part; `retry_of` in the journal links them. Each
    request gets all its attempts again. A result that `job_results` refused goes back to its queue
    unchanged. Cancelled requests are skipped unless selected by number or with --reason cancelled.

    Without numbers, the command says how many letters match and asks: their calls may be paid
    for again. Letters that cannot be sent stay, with the reason, and all others are sent. With
    --same-id each request keeps its id, unless a success was published under it, and its result
    replaces the error in `job_results`. What is sent is recorded: see nexus audit.

    Example: nexus dead retry 17 18
    Example: nexus dead retry --reason timeout --rate 5 --yes
    Exit codes: 0 all were sent; 1 some were not, or do not exist, which is said of each, or you
    said no; 2 wrong usage; 5 none of them exists.
    """
    if same_id and not read_settings(config).result_poller.enabled:
        told_why = "no result would be superseded in job_results: [result_poller] enabled is false"
        raise CommandError(f"--same-id: {told_why}", exit_codes.USAGE)
    from nexus_actors.storage.postgres.dead_letters import Retried

    which = _chosen(numbers, reason, provider, older_than, limit, newest, all_)
    if which.numbers is None and which.reason is None:
        which = replace(which, other_than=CANCELLED)
    told: list[Retried] = []

    def tell(one: Retried) -> None:
        told.append(one)
        tell_retried(one, same_id=same_id, faults_only=json)

    def leave(number: int, why: object) -> None:
        tell(Retried(number, why_not=str(why)))

    chosen = _run(config, lambda pool, queues: _numbers(pool, queues, which, leave))
    if (
        chosen
        and not (numbers or yes)
        and not confirmed(
            f"{len(chosen)} dead letters match, and their calls may be paid for again",
            "Send their requests again?",
            "sends their requests again",
        )
    ):
        note("nothing is sent")
        return exit_codes.FAILED
    try:
        _run(config, lambda pool, queues: _retry(pool, queues, chosen, rate, same_id, tell))
    finally:
        if json:
            print_json([asdict(one) for one in told])
    return _tell_outcome(config, which, len(chosen), told)


def _tell_outcome(
    config: ConfigPath, which: "Which", chosen: int, told: "Sequence[Retried]"
) -> int:
    """Print what became of the chosen letters, and what was skipped; the exit code."""
    done, unknown = sum(one.done for one in told), absent(one.why_not for one in told)
    check_found(chosen + len(told) - unknown, which, read_settings(config))
    for line in outcome_of(told):
        note(line)
    if which.other_than is not None:
        left = len(_find(config, replace(which, reason=CANCELLED, other_than=None)))
        if left:
            note(f"skipped, because they were cancelled: {left} (--reason {CANCELLED})")
    tell_limit(chosen, which.limit)
    return exit_codes.of_named(done=done, failed=len(told) - done - unknown, unknown=unknown)


async def _retry(
    pool: "PostgresPool",
    queues: "Queues",
    chosen: Sequence[int],
    rate: float,
    same_id: bool,
    tell: "Callable[[Retried], None]",
) -> None:
    """Retry one by one, `rate` per second. Raises StorageError if the database fails."""
    from nexus_actors.monitoring.recording import Recording, Writing
    from nexus_actors.storage.errors import StorageError
    from nexus_actors.storage.postgres import dead_letters
    from nexus_actors.storage.postgres.errors import is_of_rows

    recording = Recording(Writing(pool), "retry", caller())
    async with aclosing(paced(chosen, rate)) as due:
        async for number in due:
            try:
                tell(await dead_letters.retry(recording, queues, number, same_id=same_id))
            except StorageError as error:
                tell(dead_letters.Retried(number, why_not=str(error)))
                if not is_of_rows(error):
                    raise


async def paced(numbers: Sequence[int], rate: float) -> AsyncGenerator[int, None]:
    """Yield `numbers`, at most `rate` per second."""
    import trio

    due = trio.current_time()
    for number in numbers:
        await trio.sleep_until(due)
        due = trio.current_time() + 1 / rate
        yield number


@dead.command
def purge(
    *numbers: Number,
    reason: Reason = None,
    provider: Provider = None,
    older_than: OlderThan = None,
    limit: Limit = 1000,
    newest: Newest = False,
    all_: All = False,
    yes: Yes = False,
    config: ConfigPath = None,
) -> int:
    """Delete dead letters for good, requests included.

    Without numbers, the command says how many letters match and asks. What is deleted is recorded:
    see nexus audit.

    Example: nexus dead purge 17 18
    Example: nexus dead purge --older-than 30d --yes
    Exit codes: 0 done; 1 some could not be deleted, or do not exist, which is said of each, or you
    said no; 2 wrong usage; 5 none of them exists.
    """
    which = _chosen(numbers, reason, provider, older_than, limit, newest, all_)
    left: list[object] = []

    def leave(number: int, why: object) -> None:
        left.append(why)
        complain(f"dead letter {number} is not deleted: {why}")

    chosen = _run(config, lambda pool, queues: _numbers(pool, queues, which, leave))
    if (
        chosen
        and not (numbers or yes)
        and not confirmed(
            f"{len(chosen)} dead letters match", "Delete them for good?", "deletes them for good"
        )
    ):
        note("nothing is deleted")
        return exit_codes.FAILED
    deleted = _run(config, lambda pool, queues: _purge(pool, queues, chosen, leave))
    unknown = absent(left)
    check_found(len(chosen) + len(left) - unknown, which, read_settings(config))
    note(f"deleted: {deleted}")
    tell_limit(len(chosen), limit)
    return exit_codes.of_named(done=len(chosen), failed=len(left) - unknown, unknown=unknown)


async def _purge(
    pool: "PostgresPool",
    queues: "Queues",
    chosen: Sequence[int],
    leave: Callable[[int, object], None],
) -> int:
    from nexus_actors.monitoring.recording import Recording, Writing
    from nexus_actors.storage.postgres import dead_letters

    recording = Recording(Writing(pool), "purge", caller())
    return await dead_letters.purge(recording, queues, chosen, leave)


async def _numbers(
    pool: "PostgresPool",
    queues: "Queues",
    which: "Which",
    leave: "Callable[[int, StorageError | str], None]",
) -> list[int]:
    """The selected letters. Calls `leave` for each named letter that is not among them, and for
    each that could not be checked."""
    from nexus_actors.storage.postgres import dead_letters

    if which.by_content:
        found = await dead_letters.find(pool, queues, which)
        for letter in found:
            if letter.unreadable:
                leave(letter.number, f"it cannot be read: {letter.unreadable}")
        chosen = [letter.number for letter in found if not letter.unreadable]
        unreadable = {letter.number for letter in found if letter.unreadable}
    elif which.other_than is not None:
        found = await dead_letters.find(pool, queues, which)
        chosen, unreadable = [letter.number for letter in found], set()
    else:
        chosen, unreadable = await dead_letters.numbers(pool, queues, which), set()
    any_kind = which.older_than is None and not which.by_content
    absent = dead_letters.GONE if any_kind else dead_letters.OF_ANOTHER_KIND
    if len(chosen) + len(unreadable) < which.limit:
        for number in dict.fromkeys(which.numbers or ()):
            if number not in unreadable and number not in chosen:
                leave(number, absent)
    return chosen


def _chosen(
    numbers: Sequence[int],
    reason: str | None,
    provider: str | None,
    older_than: str | None,
    limit: int,
    newest: bool,
    all_: bool,
) -> "Which":
    if not (numbers or reason or provider is not None or older_than or all_):
        told = "which? numbers, --reason, --provider, --older-than, or --all"
        raise CommandError(told, exit_codes.USAGE)
    return _which(numbers, reason, provider, older_than, limit, newest)


def _which(
    numbers: Sequence[int],
    reason: str | None,
    provider: str | None,
    older_than: str | None,
    limit: int,
    newest: bool,
) -> "Which":
    from nexus_actors.storage.postgres.dead_letters import Which

    return Which(
        numbers=tuple(numbers) or None,
        reason=reason,
        provider=provider,
        older_than=None if older_than is None else age(older_than),
        limit=limit,
        newest=newest,
    )


def _find(config: ConfigPath, which: "Which") -> "list[DeadLetter]":
    from nexus_actors.storage.postgres import dead_letters

    return _run(config, lambda pool, queues: dead_letters.find(pool, queues, which))


def _run(config: ConfigPath, operation: "Callable[[PostgresPool, Queues], Awaitable[T]]") -> T:
    """Run an operation on the dead letters of the config's database."""
    from nexus_actors.storage.postgres.connection import open_postgres

    settings = read_settings(config)

    async def run() -> T:
        async with open_postgres(running_database(settings), pool_size=1) as pool:
            return await operation(pool, queues_of(settings))

    return run_async(run)
