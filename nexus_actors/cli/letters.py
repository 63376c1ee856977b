"""Dead letters for display, abbreviated if long; and errors if no letter is found."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from nexus_actors.cli import exit_codes
from nexus_actors.cli.report import CommandError, complain, note, print_json, say, say_text

if TYPE_CHECKING:
    from rich.table import Table

    from nexus_actors.settings import Settings
    from nexus_actors.storage.postgres.dead_letters import DeadLetter, Retried, Which

SHOWN: Final = 1 << 16
"""The most characters shown of one field of a letter, unless everything is requested."""
MOST_FIELDS: Final = 30
"""The most fields shown. Letters of the service have fewer."""
LONGEST_NAME: Final = 300
"""The most characters shown of a field's name."""
_LONGEST_NUMBER: Final = 100
"""The most digits of a number that is shown in full."""
_NUMBER_BEGUN: Final = 30
WIDE = 140
"""Columns of a terminal on which only "what was wrong" is cut."""
_NARROW = {"request": 10, "reason": 15, "provider": 8}
"""Widths of these columns on a narrower terminal."""


def table_of(letters: "Sequence[DeadLetter]", width: int) -> "Table":
    """One line per letter. If `width` is less than `WIDE`, fields are cut to fit."""
    from rich import box
    from rich.table import Table

    from nexus_actors.cli.screen import one_line

    narrow = width < WIDE
    columns = dict(_NARROW)
    if narrow and not any(letter.provider for letter in letters):
        del columns["provider"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("number", justify="right", no_wrap=True)
    for name, most in columns.items():
        most_here = most if narrow else None
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=most_here)
    table.add_column("since", no_wrap=True)
    # The column that shrinks on a narrow terminal: rich does not shrink those with no_wrap.
    table.add_column(one_line("what was wrong"))
    for letter in letters:
        known = {"request": letter.request_id, "reason": letter.reason, "provider": letter.provider}
        table.add_row(
            str(letter.number),
            *(known[name] or "-" for name in columns),
            f"{letter.dead_at:%m-%d %H:%M}" if narrow else f"{letter.dead_at:%Y-%m-%d %H:%M}",
            one_line(wrong_with(letter)),
        )
    return table


def wrong_with(letter: "DeadLetter") -> str:
    """Why it is one, in a line."""
    from nexus_actors.contract.wording import with_path
    from nexus_actors.storage.postgres.dead_letters import RESULT

    if letter.reason == RESULT:
        return f"not in job_results: {letter.message or '-'}"
    if letter.unreadable:
        return f"unreadable: {letter.unreadable}"
    return with_path(letter.path, letter.message or "-")


def show_begun(letter: object) -> None:
    """Print a long letter with its long fields cut."""
    from nexus_actors.contract.shown_text import json_text

    if not isinstance(letter, dict) or len(letter) > MOST_FIELDS:
        say_text(begun(json_text(letter)))
        return
    shown: dict[str, object] = {}
    for name, value in letter.items():
        text = json_text(value)
        shown[name[:LONGEST_NAME]] = value if len(text) <= SHOWN else begun(text)
    print_json(shown)


def show_odd(text: str) -> None:
    """Print a letter that Python's JSON parser refuses, such as one with a number of 100,000
    digits. Long numbers are shown as text."""
    from nexus_actors.contract.json_text import MOST_VALUES, values_within
    from nexus_actors.contract.shown_text import as_seen_json

    try:
        if values_within(text, MOST_VALUES) <= MOST_VALUES:
            show_begun(_readable(text))
            return
    except (ValueError, RecursionError):
        pass
    say_text(begun(as_seen_json(text)))


def begun(text: str) -> str:
    """The beginning of a long text, and how much was cut off."""
    if len(text) <= SHOWN:
        return text
    left = len(text[SHOWN:].encode(errors="backslashreplace"))
    return f"{text[:SHOWN]}… {left:,} bytes more (--all)"


def _readable(text: str) -> Any:
    whole, broken = _bounded(int), _bounded(float)
    return json.JSONDecoder(parse_int=whole, parse_float=broken, strict=False).decode(text)


def _bounded(kind: Callable[[str], object]) -> Callable[[str], object]:
    def read(digits: str) -> object:
        if len(digits) <= _LONGEST_NUMBER:
            return kind(digits)
        return f"{digits[:_NUMBER_BEGUN]}… a number of {len(digits):,} characters (--all)"

    return read


def no_letter(which: object) -> CommandError:
    """The error if no letter has this number or is about this request id."""
    return CommandError(f"there is no dead letter {which}", exit_codes.TIMED_OUT)


def check_found(found: int, which: "Which", settings: "Settings") -> None:
    """If nothing was found, raise CommandError for a reason that no letter can have, or a provider
    that does not exist: it was misspelt."""
    from nexus_actors.contract.errors import ErrorType
    from nexus_actors.settings.suggestions import nearest
    from nexus_actors.storage.postgres.dead_letters import RESULT

    if found:
        return
    reasons = [*map(str, ErrorType), RESULT]
    providers = [*settings.providers, *settings.left_out]
    asked = (
        ("--reason", which.reason, reasons, "no error has this name"),
        ("--provider", which.provider, providers, "no letter has it, nor has the config"),
    )
    told: list[str] = []
    for option, given, known, why in asked:
        if given and given not in known:
            close = nearest(given, known)
            told.append(f"{option} {given}: {why}{f'; did you mean {close}?' if close else ''}")
    if told:
        raise CommandError(told[0], exit_codes.USAGE, details=told[1:])


def tell_retried(one: "Retried", *, same_id: bool, faults_only: bool) -> None:
    """What became of one letter, in a line."""
    if not one.done:
        complain(f"dead letter {one.number} is not sent: {one.why_not}")
    elif not faults_only:
        became = f"is sent {'again under its id' if same_id else f'as {one.new_id}'}"
        became = "has its result put back: job_results may take it" if one.put_back else became
        say(f"{one.number}  {one.request_id or '-'} {became}")


def absent(why_not: Iterable[object]) -> int:
    """How many letters were not acted on because they do not exist."""
    from nexus_actors.storage.postgres.dead_letters import ABSENT

    return sum(why in ABSENT for why in why_not)


def tell_limit(chosen: int, limit: int) -> None:
    """Say that there may be more letters than were chosen."""
    if chosen == limit:
        note(f"that is as many as --limit allows ({limit}); there may be more")


def outcome_of(told: "Sequence[Retried]") -> Iterator[str]:
    """How many requests were sent again, how many results were put back, if any, and what becomes
    of the rest."""
    from nexus_actors.contract.errors import REFUSALS

    back = sum(one.put_back for one in told)
    if back < len(told) or not told:
        yield f"sent again: {sum(one.done for one in told) - back} of {len(told) - back}"
    if back:
        yield f"results put back, which job_results may refuse again: {back}"
    if refused := sum(one.reason in REFUSALS for one in told):
        yield (
            f"refused before as they are, and so again: {refused} (nexus dead edit NUMBER corrects"
            " the request of a dead letter)"
        )
    left = sum(not one.done for one in told) - absent(one.why_not for one in told)
    if left:
        yield (
            f"not sent: {left}, each for the reason above; they stay dead letters (nexus dead edit"
            " NUMBER corrects one, nexus dead purge NUMBER deletes it), hence exit code 1"
        )
