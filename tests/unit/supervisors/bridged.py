"""What the tests of the asyncio bridge share."""

import asyncio
import threading

import trio

from supervisors import GenServer, Registry, Supervisor
from tests.unit.supervisors.actors import Do, puppet

PATIENCE = 30.0


class World:
    """A tree of one puppet, by its name, and what has happened to it."""

    def __init__(self, **options):
        self.journal = []
        self.names = Registry("names")
        self.ref = self.names.via("a")
        self.options = options

    def tree(self):
        return Supervisor(
            [self.names.child_spec(), puppet("a", self.journal, name=self.ref, **self.options)]
        )


class Hanging(GenServer):
    async def init(self):
        await trio.sleep_forever()


def run(main):
    """In asyncio; afterwards the bridge's thread is gone."""
    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    assert "supervisors" not in [thread.name for thread in threading.enumerate()]


async def hang(_):
    await trio.sleep_forever()


def value(number):
    return Do(lambda _: number)
