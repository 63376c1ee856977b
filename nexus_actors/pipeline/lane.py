"""A provider's lane: the bounded channel between the Router and the provider's workers."""

import trio

from nexus_actors.work.job import Job


class Lane:
    """Made by the provider's supervisor, anew with each of its starts.

    A job knows in which lane it stands (`queued_in`), so that a pool which starts can tell the jobs
    that are in the channel from those that fell out of somebody's hands.
    """

    def __init__(self, capacity: int) -> None:
        self._send, self._receive = trio.open_memory_channel[Job](capacity)

    def put(self, job: Job) -> bool:
        """Append the job; False if the lane is full."""
        if self._append(job):
            return True
        self._drop_dead()
        return self._append(job)

    def _append(self, job: Job) -> bool:
        try:
            self._send.send_nowait(job)
        except trio.WouldBlock:
            return False
        job.queued_in = self
        return True

    def _drop_dead(self) -> None:
        """Jobs that were given up while they stood here still take places, for no worker came."""
        standing = []
        while self._receive.statistics().current_buffer_used:
            standing.append(self._receive.receive_nowait())
        for job in dict.fromkeys(standing):
            if job.queued_in is self:
                self._send.send_nowait(job)

    async def take(self) -> Job:
        """The next job. Cancelled while waiting, it takes none."""
        job = await self._receive.receive()
        if job.queued_in is self:
            job.queued_in = None
        return job
