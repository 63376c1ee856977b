"""Dead letters: in groups, as a list, and one by one."""

from typing import Final

from nexus_actors.dashboard.letter_forms import NO_PROVIDER
from nexus_actors.dashboard.parts import href
from nexus_actors.dashboard.visit import PageError, View, Visit
from nexus_actors.monitoring.letter_actions import AT_ONCE
from nexus_actors.monitoring.letters import (
    EXACT,
    LOOKED_AT,
    look_at_request,
    read_edits,
    read_letter,
    read_letters,
)
from nexus_actors.storage.postgres.dead_letters import RESULT

LONGEST: Final = 300
MOST_GROUPS: Final = 50


async def show(visit: Visit) -> View:
    """Groups of letters, and a list of those that match the filter."""
    reason, provider = _text(visit, "reason"), _text(visit, "provider")
    nowhere = bool(visit.text(NO_PROVIDER))
    if nowhere and provider is not None:
        raise PageError(400, f"{NO_PROVIDER}: expected no provider beside it")
    begin = visit.number("begin", 0) or None
    after = visit.number("after", 0) or None
    letters = await read_letters(
        visit.reader, reason, "" if nowhere else provider, begin=begin, after=after
    )
    asked = {"reason": reason, "provider": provider, NO_PROVIDER: "1" if nowhere else None}
    values = {
        "letters": letters.letters,
        "groups": letters.groups[:MOST_GROUPS],
        "more_groups": len(letters.groups) - MOST_GROUPS,
        "asked": asked,
        "is_asked": any(it is not None for it in asked.values()),
        "matching": letters.matching,
        "total": letters.total,
        "exact": EXACT,
        "looked": letters.looked,
        "is_newest": begin is None,
        "is_whole": begin is None and letters.further is None,
        "looked_at": LOOKED_AT,
        "at_once": AT_ONCE,
        "result": RESULT,
        "next": letters.after and href("/letters", asked, begin=begin, after=letters.after),
        "further": letters.further and href("/letters", asked, begin=letters.further),
        "first": href("/letters", asked) if begin or after else None,
    }
    return View("letters.html", "Dead letters", values)


async def show_one(visit: Visit) -> View:
    """One letter."""
    number = visit.number("number", -1)
    letter = await read_letter(visit.reader, number) if number >= 0 else None
    if letter is None:
        raise PageError(404, "There is no such dead letter. It may have been retried or purged.")
    values = {
        "letter": letter,
        "edits": await read_edits(visit.reader, number),
        "result": RESULT,
        "shows_messages": visit.settings.dashboard.show_messages,
    }
    return View("letter.html", f"Dead letter {number}", values)


async def show_request(visit: Visit) -> View:
    """A letter's request, for viewers who may see it. Viewing it is recorded."""
    visit.check_messages()
    number = visit.number("number", -1)
    found = None
    if number >= 0:
        found = await look_at_request(visit.reader, number, visit.viewer.by)
    if found is None:
        raise PageError(404, "There is no such dead letter. It may have been retried or purged.")
    values = {"number": number, "request": found.message, "edits": found.edits}
    return View("letter_request.html", f"Request of dead letter {number}", values)


def _text(visit: Visit, name: str) -> str | None:
    text = visit.text(name)
    if len(text) > LONGEST or "\0" in text:
        raise PageError(400, f"{name}: expected at most {LONGEST} characters of text")
    return text or None
