"""The part of `RequestStore` for messages that cannot be leased as others are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # which has this as a part
    from nexus_actors.storage.ports import Delivery, Lease


class HeldMessages(Protocol):
    """Messages that are invisible, though nobody works on their requests, until it is known what
    is wrong with them."""

    async def hold(self, seconds: float) -> "Lease | None":
        """Make the message that is due first invisible. Nothing of it is looked at, and nothing is
        written in the journal, so this passes where `lease` fails for that message's sake."""
        ...

    async def hold_waiting(self, rooms: Mapping[str, int], *, expired: int = 0) -> int:
        """Make visible what `take_waiting` would take, so that `lease` finds it; how many. The
        journal does not hear of it."""
        ...

    async def postpone(self, held: "Lease", seconds: float) -> None:
        """Keep what is held invisible for so long, fenced."""
        ...

    async def open_held(self, held: "Lease", *, largest: int) -> str | None:
        """Open what is held as `lease` does, and do no more: its request_id, if it can be told.
        Raises as `lease` does, but for what the message is, never for the journal's sake."""
        ...

    async def lease_held(
        self, held: "Lease", visibility_timeout: float, *, unread: bool
    ) -> list["Delivery"]:
        """Lease what is held, without its text; nothing if it is held no more. `unread`: nothing of
        it is looked at, and only the journal can tell whose it is. Raises as `lease` does."""
        ...
