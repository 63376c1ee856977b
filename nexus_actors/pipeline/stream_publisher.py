"""Sends the text of streamed answers as it arrives, while stage 4 makes the call."""

import math
from dataclasses import replace

import trio

from nexus_actors.contract.stream import encode_piece, stream_channel
from nexus_actors.shared import Shared
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.notices import Notice, Notifier
from nexus_actors.work.wake import Wake
from supervisors import GenServer, Status

LOOK_AGAIN = 1.0
"""Seconds after which a store that has failed is tried again although there is nothing to send:
otherwise status would report it as away long after it is back."""
LINGER = 0.02
"""Seconds between two statements: the text of all streams in between goes out in one."""


class StreamPublisher(GenServer):
    """Notifies listeners. Text that cannot be sent now is dropped: the result has all of it."""

    def __init__(self, shared: Shared) -> None:
        self._store: Notifier = shared.store
        self._streams = shared.streams
        self._wake = Wake()
        self._patience = shared.outages.patience("StreamPublisher")

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Begin with text that a predecessor did not send."""
        self._streams.on_text = self._wake.set
        self._wake.set()
        self.spawn_link(self._publish_all)

    async def _publish_all(self) -> None:
        while True:
            await self._wake.wait(LOOK_AGAIN if self._patience.tried else math.inf)
            notices = [
                Notice(stream_channel(request_id), encode_piece(piece))
                for request_id, pieces in self._streams.take().items()
                for piece in pieces
            ]
            if not notices and not self._patience.tried:
                continue
            try:
                await self._store.notify(notices)
            except StorageError as error:
                await self._patience.failed(error)
            else:
                self._patience.worked()
            await trio.sleep(LINGER)
