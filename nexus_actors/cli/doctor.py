"""`nexus doctor`: what is wrong with an installation, what it leads to, and the fix."""

import shutil
import sys
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.options import AsJson, ConfigPath
from nexus_actors.cli.report import CommandError, note, print_json, say
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nexus_actors.doctor.finding import CheckResult

_WORST_FIRST: Final = ("wrong", "advice", "not checked", "ok")


def doctor(
    *,
    only: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            show_default=False,
            help="Run only this check (repeatable); docs/doctor.md lists them.",
        ),
    ] = (),
    offline: Annotated[
        bool, Parameter(negative="", help="Do not call providers, not even for what costs nothing.")
    ] = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> int:
    """Find what is wrong with an installation, whether or not a service is running.

    Checks the config, the database, keys, routes, this host and the work itself. Each finding has a
    line; below it stand its consequence and the fix. Nothing is changed, and nothing costs
    anything.

    Run it as the service's user, in the service's environment: as another user it says what it
    cannot see. Each check has five seconds.

    Example: nexus doctor --only database --only keys
    Exit codes: 0 nothing is wrong, though there may be advice; 1 something does not work, or could
    not be checked although it should be.
    """
    from nexus_actors.doctor.check import Given
    from nexus_actors.doctor.examine import NAMES, examine

    unknown = [it for it in only if it not in NAMES]
    if unknown:
        told = f"--only: no check is called {unknown[0]}; expected one of {', '.join(NAMES)}"
        raise CommandError(told, exit_codes.USAGE)

    async def look() -> "tuple[CheckResult, ...]":
        return await examine(Given(config=config, offline=offline), only=only)

    found = run(look)
    if json:
        print_json([it.as_json() for it in found])
    else:
        for line in _lines(found):
            say(line)
        note(_summary(found))
    return _exit_code(found)


def _lines(found: "Sequence[CheckResult]") -> "Iterator[str]":
    """The report, worst findings first, one line each. Adjacent checks that could not be made for
    the same reason share a line. Lines are wrapped at a terminal's width."""
    found = sorted(found, key=lambda it: _WORST_FIRST.index(it.verdict))
    named: list[tuple[str, CheckResult]] = []
    for _, group in groupby(found, lambda it: it.finding if it.verdict == "not checked" else it):
        alike = list(group)
        named.append((", ".join(map(_name, alike)), alike[0]))
    width = max((len(name) for name, _ in named if "," not in name), default=0)
    indent = " " * 13
    for name, it in named:
        begin = f"{it.verdict:<11}  {name:<{width}}  "
        yield from _wrapped(begin, it.says, hanging=min(len(begin), 13 + width + 2))
        if it.leads_to:
            yield from _wrapped(f"{indent}leads to: ", it.leads_to)
        if it.fix:
            yield from _wrapped(f"{indent}fix:      ", it.fix)


def _wrapped(begin: str, text: str, hanging: int | None = None) -> "Iterator[str]":
    """Wrap at the terminal's width, with later lines indented to the text's beginning. Not wrapped
    if there is no terminal."""
    if not sys.stdout.isatty():
        yield begin + text
        return
    from nexus_actors.contract.shown_text import printable

    width = shutil.get_terminal_size().columns
    indent = " " * min(len(begin) if hanging is None else hanging, width // 2)
    yield from textwrap.wrap(
        printable(begin + text),
        max(width, 20),
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
        drop_whitespace=True,
    )


def _name(told: "CheckResult") -> str:
    return " ".join(filter(None, (told.check, told.finding.subject)))


def _summary(found: "Sequence[CheckResult]") -> str:
    verdicts = [it.verdict for it in found]
    counted = {it: verdicts.count(it) for it in _WORST_FIRST}
    return ", ".join(f"{count} {name}" for name, count in counted.items() if count) or (
        "nothing to look at: it is off"
    )


def _exit_code(found: "Sequence[CheckResult]") -> int:
    """Advice is not a failure: the service works."""
    return exit_codes.FAILED if any(it.verdict == "wrong" for it in found) else exit_codes.OK
