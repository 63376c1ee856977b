"""The node's side of dashboard and observer: shows what is looked at, and takes orders."""

import dataclasses
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final

import structlog
import trio

from nexus_actors.contract.json_text import clean_text
from nexus_actors.operations.control import CommandRefused
from nexus_actors.operations.orders import Orders
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.notices import Hints
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.sights import LOOKS_CHANNEL, SightStore
from nexus_actors.work.wake import Wake
from supervisors import GenServer, Status

PERIOD: Final = 1.0
"""Seconds between two updates while somebody looks."""
IDLE: Final = 15.0
"""Seconds between checks for observers without a notification, which may be lost."""
LARGEST: Final = 2**20
"""The most characters of one sight."""
MOST: Final = 4 * 2**20
"""The most characters of all sights together."""
ACTOR: Final = "actor "
"""Prefix of the name of a look at an actor."""

Sight = Callable[[], Awaitable[object]]
_ONE: Final = trio.CapacityLimiter(1)
log = structlog.get_logger("nexus.observer")


class ObserverBackend(GenServer):
    """Reads what is looked at on each notification, and every second while anything is. Otherwise
    it does nothing. Nothing depends on this actor, whatever the store does."""

    def __init__(
        self,
        *,
        node: str,
        store: SightStore,
        hints: Hints,
        sights: Mapping[str, Sight],
        inspect: Callable[[str], Awaitable[object]],
        orders: Orders,
        outages: Outages,
    ) -> None:
        """`node` is this instance's id. `sights` makes the body of each thing that can be looked
        at, `inspect` that of a named actor. Both return JSON values or raise CommandRefused."""
        self._node = node
        self._store = store
        self._hints = hints
        self._sights = sights
        self._inspect = inspect
        self._orders = orders
        self._patience = outages.patience("ObserverBackend")
        self._looked = Wake()
        self._ordered = Wake()
        self._shown: dict[str, bytes] = {}
        """A digest of each sight that is in the store."""

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return dataclasses.replace(
            status.shapes(),
            state={
                "node": self._node,
                "sights": sorted(self._sights),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Begin with looks and orders that came before."""
        self.spawn_link(self._listen)
        self.spawn_link(self._show)
        self.spawn_link(self._obey)

    async def _listen(self) -> None:
        with self._hints.subscribe(LOOKS_CHANNEL, self._heard):
            await trio.sleep_forever()

    def _heard(self, node: str | None) -> None:
        if node in (None, self._node):
            self._looked.set()
            self._ordered.set()

    async def _show(self) -> None:
        """Show sights. Only this task reports a store that is away, so that it is reported once."""
        while True:
            try:
                looks = await self._store.looks(self._node)
                if looks:
                    await self._write(await self._seen(looks))
            except StorageError as error:
                await self._patience.failed(error)
                continue
            self._patience.worked()
            await self._looked.wait(PERIOD if looks else IDLE)

    async def _write(self, seen: Mapping[str, str]) -> None:
        """Write sights; of unchanged ones only that they are unchanged."""
        digests = {what: sha256(body.encode()).digest() for what, body in seen.items()}
        before, self._shown = self._shown, {}
        changed = {
            what: None if before.get(what) == digests[what] else body for what, body in seen.items()
        }
        there = await self._store.show(self._node, changed)
        self._shown = {what: digests[what] for what in there}

    async def _seen(self, looks: Sequence[str]) -> Mapping[str, str]:
        """The body of each sight, as JSON text."""
        seen: dict[str, str] = {}

        async def see(what: str) -> None:
            seen[what] = await self._body(what)

        async with trio.open_nursery() as nursery:
            for what in looks:
                nursery.start_soon(see, what)
        left = MOST
        for what, body in sorted(seen.items(), key=lambda it: len(it[1])):
            left -= len(body)
            if left < 0:
                message = f"what is looked at has more than {MOST:,} characters in all"
                seen[what] = json.dumps({"error": message})
        return seen

    async def _body(self, what: str) -> str:
        try:
            if what.startswith(ACTOR):
                sight = await self._inspect(what.removeprefix(ACTOR))
            else:
                sight = await self._sights[what]()
            body = await off_loop(_text, sight)
        except CommandRefused as refused:
            return json.dumps({"error": clean_text(str(refused))})
        except Exception:  # one sight that fails must not hide the others
            log.exception("cannot be shown", what=what)
            return json.dumps({"error": "it cannot be shown; the node's log says why"})
        if len(body) > LARGEST:
            return json.dumps({"error": f"it has {len(body):,} characters, more than is shown"})
        return body

    async def _obey(self) -> None:
        while True:
            try:
                order = await self._store.take(self._node)
            except StorageError as error:  # reported by `_show`
                log.debug("no orders are taken", error=str(error))
                await trio.sleep(PERIOD)
                continue
            if order is None:
                await self._ordered.wait(IDLE)
                continue
            end = partial(self._end, order.number)
            await end(await self._orders.carry_out(order, foretell=end))

    async def _end(self, number: int, outcome: str) -> None:
        """Store the outcome, however long that takes: the order is not carried out again."""
        while True:
            try:
                await self._store.end(number, outcome)
            except StorageError as error:
                log.debug("an outcome is not stored yet", number=number, error=str(error))
                await trio.sleep(PERIOD)
            else:
                return


async def off_loop(function: Callable[[Any], str], value: object) -> str:
    """Run in a thread if the value is large: that takes up to a quarter of a second."""
    return await trio.to_thread.run_sync(function, value, limiter=_ONE)


def _text(sight: object) -> str:
    return json.dumps(_storable(sight), ensure_ascii=False)


def _storable(value: Any) -> Any:
    """The value as jsonb accepts it: no NUL, lone surrogates or infinite numbers."""
    match value:
        case str():
            return clean_text(value)
        case Mapping():
            return {clean_text(str(key)): _storable(it) for key, it in value.items()}
        case list() | tuple():
            return [_storable(it) for it in value]
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int():
            return value
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {it.name: _storable(getattr(value, it.name)) for it in fields(value)}
        case _:
            return clean_text(str(value))
