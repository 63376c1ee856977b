"""Beside stage 4: sends the text of streamed answers as it arrives."""

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
"""Seconds after which a store that has failed is asked again though there is nothing to send: it
may have been back for long, and status would still say that it is away."""
LINGER = 0.02
"""Seconds between two statements: what all streams told meanwhile goes out in one."""


class StreamPublisher(GenServer):
    """Notifies whoever listens. What cannot be sent now is dropped: the result says it again."""

    def __init__(self, shared: Shared) -> None:
        self._store: Notifier = shared.store
        self._streams = shared.streams
        self._wake = Wake()
        self._patience = shared.outages.patience("StreamPublisher")

    def format_status(self, status: Status) -> Status:
        """Counts and names, for whoever looks; nothing of what a request says."""
        return replace(
            status.shapes(),
            state={
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Begin with what a predecessor left."""
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
