"""Carries out orders to this node (`nexus.commands`) like commands on its control socket."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog

from nexus_actors.contract.shown_text import printable
from nexus_actors.operations.control import Command, CommandRefused
from nexus_actors.storage.sights import Order

LONGEST: Final = 1000
"""The most characters of an outcome."""
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
"""Actors whose restart also ends ObserverBackend, which would report the outcome."""
Tell = Callable[[str], Awaitable[None]]
"""Stores the outcome of an order."""
Restart = Callable[[Mapping[str, Any], Callable[[], Awaitable[None]]], Awaitable[Any]]
"""Restarts the named actor. The callback is awaited once the actor is found, before it is ended.
Raises CommandRefused."""
log = structlog.get_logger("nexus.orders")


class Orders:
    """Carries out orders, one at a time. `commands` are those of Control."""

    def __init__(self, commands: Mapping[str, Command], restart: Restart) -> None:
        self._commands = commands
        self._restart = restart

    async def carry_out(self, order: Order, *, foretell: Tell) -> str:
        """Carry out an order. Returns its outcome in a line; `refused: ` in front if it was
        refused. If the order ends ObserverBackend itself, `foretell` stores the outcome before."""
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
        except Exception:  # a failed order must not end the actor
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

                outcome = await self._restart({**actor, "now": order.now}, first)
                ended = "has ended, and is started anew"
                later = "ends its work first; then it is started anew"
                return f"{order.actor} {ended if outcome['ended'] else later}"
            case "stop":
                outcome = await self._ask("stop_actor", actor)
                ended = (
                    "is stopped" if outcome["ended"] else "ends its work first; then it is stopped"
                )
                return f"{order.actor} {ended}"
            case "start":
                outcome = await self._ask("start_actor", actor)
                return f"{order.actor} {'is started' if outcome['started'] else 'is being started'}"
            case "reload":
                return _reloaded(await self._ask("reload", {}))

    async def _ask(self, name: str, arguments: Mapping[str, object]) -> Any:
        return await self._commands[name](arguments)


def announced(name: str, command: Command) -> Command:
    """A command of Control that also logs who gave the order. The caller has recorded the order in
    nexus.audit, to which the service may not write."""

    async def carry_out(arguments: Mapping[str, Any]) -> object:
        said = {it: arguments.get(it) for it in ("actor", "by", "why")}
        shown = {it: printable(text, LONGEST) for it, text in said.items() if isinstance(text, str)}
        if "by" in shown:
            log.warning("an order", action=name, **shown)
        return await command(arguments)

    return carry_out


def _reloaded(outcome: Mapping[str, Any]) -> str:
    if not outcome["ok"]:
        wrong = "; ".join(f"{it['path']}: {it['found']}" for it in outcome["mistakes"])
        return f"refused: nothing was changed: {wrong}"
    changed = ", ".join(it["path"] for it in outcome["changes"]) or "nothing"
    waits = ", ".join(it["path"] for it in outcome["needs_restart"])
    return f"changed: {changed}" + (f"; needs a restart: {waits}" if waits else "")
