"""What the tests of the watchdog share: blocks that last until they were noticed."""

import logging
import threading
import time
from contextlib import contextmanager

import trio

from supervisors import ChildSpec, Supervisor, Watchdog, telemetry
from supervisors.telemetry import LoopBlocked

THRESHOLD = 0.2
NO_BLOCK_LASTS = 60.0


class Alarm(logging.Handler):
    """What the watchdog says: its lines, those in which it is not over yet, and its events."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.early = []
        self.noticed = threading.Event()
        self.events = []

    def emit(self, record):
        text = record.getMessage()
        if text.startswith("the loop "):
            self.lines.append(text)
        if text.startswith("the loop is blocked"):
            self.early.append(text)
            self.noticed.set()

    def sleep(self):
        """Block the loop until the watchdog has said so."""
        limit = time.monotonic() + NO_BLOCK_LASTS
        while not self.noticed.is_set() and time.monotonic() < limit:
            time.sleep(0.01)

    def compute(self):
        """The same without a rest."""
        limit = time.monotonic() + NO_BLOCK_LASTS
        while not self.noticed.is_set() and time.monotonic() < limit:
            pass

    async def verdict(self, cause):
        """The first event with this cause."""
        while not any(event.cause == cause for event in self.events):
            await trio.sleep(0.01)
        return next(event for event in self.events if event.cause == cause)

    async def named(self):
        """The first event that names someone."""
        while not any(event.where for event in self.events):
            await trio.sleep(0.01)
        return next(event for event in self.events if event.where)


def give_it_all_the_time(monkeypatch):
    """As if the machine ran nothing else: the loop's thread computes all the time."""
    monkeypatch.setattr("time.pthread_getcpuclockid", lambda _: time.CLOCK_MONOTONIC, raising=False)


@contextmanager
def listening():
    """An Alarm that hears all that a watchdog says."""
    handler = Alarm()
    logger = logging.getLogger("supervisors")
    logger.addHandler(handler)
    try:
        with telemetry.attached("alarm", LoopBlocked, handler.events.append):
            yield handler
    finally:
        logger.removeHandler(handler)


def watched(*specs, threshold=THRESHOLD):
    """A supervisor of these and of a watchdog, the child `dog`."""
    dog = ChildSpec("dog", lambda: Watchdog(threshold))
    return lambda: Supervisor([dog, *specs], name="top")
