"""The row actions: keys that act on the row under the cursor, by tab."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from nexus_actors.monitoring.actions import Drain, Pause, Resume, Scale
from nexus_actors.monitoring.command_text import command_line
from nexus_actors.monitoring.interventions import Cancel, Order
from nexus_actors.monitoring.letter_actions import PurgeLetter, RetryLetter
from nexus_actors.observer.snapshots import (
    LetterSnapshot,
    NodeSnapshot,
    ProviderSnapshot,
    RequestSnapshot,
    WaitingSnapshot,
)
from nexus_actors.observer.source import Action
from nexus_actors.observer.tree_rows import ActorRow

MOST_CALLS: Final = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartHere:
    """Restarts an actor of the service that runs here. The control socket does it, also without a
    database, so there is no SQL."""

    actor: str
    now: bool
    sql: str = ""

    @property
    def question(self) -> str:
        """See Action."""
        how = "It is killed; calls below it are cut, and made again" if self.now else "It ends"
        how += "" if self.now else " its work first"
        return f"Restart {self.actor}? {how}. Its supervisor starts it anew."

    @property
    def cli(self) -> str:
        """See Action."""
        return command_line("restart", self.actor, now=self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAction:
    """A key, its tabs, and the action that it makes from the row under the cursor."""

    id: str
    key: str
    label: str
    tabs: frozenset[str]
    needs: str
    """What the row must be about, as words for the user."""
    fits: Callable[[Any], bool]
    make: Callable[[Any, str], Action]
    """Makes the action from the row's subject and the value. Raises ValueError with the reason."""
    asks: Callable[[Any], str] | None = None
    """The question for a value; None if no value is needed."""


def restart(node: str, actor: str, *, now: bool) -> Action:
    """The action that restarts an actor, or kills it (`now`). `node` is empty for the service that
    runs here."""
    if not node:
        return RestartHere(actor=actor, now=now)
    return Order(node=node, action="restart", actor=actor, now=now)


def _scale(it: ProviderSnapshot, value: str) -> Action:
    if value == "default":
        return Scale(provider=it.name, calls=None)
    if not (value.isascii() and value.isdecimal() and int(value[:9]) <= MOST_CALLS):
        raise ValueError(f"scale: expected 0 to {MOST_CALLS} calls at once, or default")
    return Scale(provider=it.name, calls=int(value))


def _is_actor(it: object) -> bool:
    return isinstance(it, ActorRow) and not it.is_root


def _is_provider(it: object) -> bool:
    return isinstance(it, ProviderSnapshot)


def _has_not_ended(it: object) -> bool:
    if isinstance(it, WaitingSnapshot):
        return it.request_id is not None
    return isinstance(it, RequestSnapshot) and it.state not in ("done", "failed")


def _is_letter(it: object) -> bool:
    return isinstance(it, LetterSnapshot)


def _is_node(it: object) -> bool:
    return isinstance(it, NodeSnapshot)


def _actors(name: str, key: str, label: str, *, now: bool) -> RowAction:
    return RowAction(
        id=name,
        key=key,
        label=label,
        tabs=frozenset({"tree"}),
        needs="an actor below the root",
        fits=_is_actor,
        make=lambda it, _: restart(it.node, it.name, now=now),
    )


def _providers(name: str, key: str, label: str, make: Callable[[Any, str], Action]) -> RowAction:
    return RowAction(
        id=name,
        key=key,
        label=label,
        tabs=frozenset({"providers"}),
        needs="a provider",
        fits=_is_provider,
        make=make,
        asks=_ask_calls if make is _scale else None,
    )


_letter = partial(RowAction, tabs=frozenset({"letters"}), needs="a letter", fits=_is_letter)
_node = partial(RowAction, tabs=frozenset({"overview"}), needs="a node", fits=_is_node)


def _ask_calls(it: ProviderSnapshot) -> str:
    return f"Calls at once to {it.name}, on each node: a number, or default"


ROW_ACTIONS: Final = (
    _actors("restart", "k", "Restart", now=False),
    _actors("kill", "K", "Kill", now=True),
    _providers("pause", "p", "Pause", lambda it, _: Pause(subject="provider", name=it.name)),
    _providers("resume", "u", "Resume", lambda it, _: Resume(subject="provider", name=it.name)),
    _providers("scale", "s", "Scale", _scale),
    RowAction(
        id="cancel",
        key="c",
        label="Cancel",
        tabs=frozenset({"requests", "waiting"}),
        needs="a request that has not ended",
        fits=_has_not_ended,
        make=lambda it, _: Cancel(request_id=it.request_id),
    ),
    _letter(
        id="retry", key="t", label="Send again", make=lambda it, _: RetryLetter(number=it.number)
    ),
    _letter(id="purge", key="d", label="Delete", make=lambda it, _: PurgeLetter(number=it.number)),
    _node(id="drain", key="D", label="Drain", make=lambda it, _: Drain(node=it.node)),
    _node(
        id="go_on", key="u", label="Go on", make=lambda it, _: Resume(subject="node", name=it.node)
    ),
)
