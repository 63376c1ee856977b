"""Orders to this node, by rows of `nexus.commands`: carried out as its socket's commands are."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog

from nexus_actors.contract.shown_text import printable
from nexus_actors.operations.control import Command, CommandRefused
from nexus_actors.storage.sights import Order

LONGEST: Final = 1000
"""Characters of an outcome."""
ORDERS: Final = ("restart", "stop_actor", "start_actor", "reload")
"""The commands that change something."""
FATAL: Final = frozenset(
    {
        "Registry",
        "ServiceManager.Supervisor",
        "Admin.Supervisor",
        "Database",
        "Heartbeat.Supervisor",
        "ObserverBackend",
    }
)
"""Whose restart ends the one who would tell of it: they start before it, or are it."""
Tell = Callable[[str], Awaitable[None]]
"""Stores the outcome of an order."""
Restart = Callable[[Mapping[str, Any], Callable[[], Awaitable[None]]], Awaitable[Any]]
"""Restarts what the arguments name; what is given with them is awaited once it is found, before it
is ended. Raises CommandRefused."""
log = structlog.get_logger("nexus.orders")


class Orders:
    """Carries out one order after another. `commands` are those that Control answers."""

    def __init__(self, commands: Mapping[str, Command], restart: Restart) -> None:
        self._commands = commands
        self._restart = restart

    async def carry_out(self, order: Order, *, foretell: Tell) -> str:
        """What came of it, in a line. One that was refused begins with `refused: `. Where nobody
        here will see the end, the outcome is told by `foretell` once it is certain."""
        log.warning(
            "an order",
            number=order.number,
            action=order.action,
            actor=order.actor,
            by=order.by,
            why=order.why,
        )
        try:
            outcome = await self._carry_out(order, foretell)
        except CommandRefused as refused:
            outcome = f"refused: {refused}"
        except Exception:  # one order must not end who takes the others
            log.exception("an order failed", number=order.number)
            outcome = "refused: it failed; the node's log says why"
        return printable(outcome, LONGEST)

    async def _carry_out(self, order: Order, foretell: Tell) -> str:
        actor = {"actor": order.actor}
        match order.action:
            case "restart":

                async def first() -> None:
                    if order.actor in FATAL:
                        new = "started anew with all that starts after it"
                        await foretell(f"{order.actor} is ended, and {new}")

                told = await self._restart({**actor, "now": order.now}, first)
                ended = "has ended, and is started anew"
                later = "ends its work first; then it is started anew"
                return f"{order.actor} {ended if told['ended'] else later}"
            case "stop":
                told = await self._ask("stop_actor", actor)
                ended = "is stopped" if told["ended"] else "ends its work first; then it is stopped"
                return f"{order.actor} {ended}"
            case "start":
                told = await self._ask("start_actor", actor)
                return f"{order.actor} {'is started' if told['started'] else 'is being started'}"
            case "reload":
                return _reloaded(await self._ask("reload", {}))

    async def _ask(self, name: str, arguments: Mapping[str, object]) -> Any:
        return await self._commands[name](arguments)


def announced(name: str, command: Command) -> Command:
    """The command of this name, as Control is to answer it: the log says who gave the order. They
    have put it on record themselves: the service may not write there."""

    async def carry_out(arguments: Mapping[str, Any]) -> object:
        said = {it: arguments.get(it) for it in ("actor", "by", "why")}
        shown = {it: printable(text, LONGEST) for it, text in said.items() if isinstance(text, str)}
        if "by" in shown:
            log.warning("an order", action=name, **shown)
        return await command(arguments)

    return carry_out


def _reloaded(told: Mapping[str, Any]) -> str:
    if not told["ok"]:
        wrong = "; ".join(f"{it['path']}: {it['found']}" for it in told["mistakes"])
        return f"refused: nothing was changed: {wrong}"
    changed = ", ".join(it["path"] for it in told["changes"]) or "nothing"
    waits = ", ".join(it["path"] for it in told["needs_restart"])
    return f"changed: {changed}" + (f"; needs a restart: {waits}" if waits else "")
