"""Registries with some processes beside them, for the tests of Registry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from supervisors import ActorRef, Registry, Supervisor, open_tree
from tests.unit.supervisors.actors import child, puppet


@asynccontextmanager
async def running(
    registry: Registry, *others: Registry, ids: str = "ab", trap: bool = True
) -> AsyncIterator[tuple[ActorRef, ...]]:
    """Run the registries and a puppet for each letter of `ids`: the supervisor, then the puppets.

    one_for_one, and the puppets are not restarted.
    """
    specs = [
        *(one.child_spec() for one in (registry, *others)),
        *(puppet(letter, trap=trap, restart="temporary") for letter in ids),
    ]
    async with open_tree(lambda: Supervisor(specs, max_restarts=100)) as top:
        yield top, *[await child(top, letter) for letter in ids]


def hooks(ref: ActorRef, registry: Registry) -> int:
    """How many of the things to do at the process's end are the registry's."""
    return sum(key is registry for key in ref._process.on_exit)


def is_empty(registry: Registry) -> bool:
    """Whether nothing is left inside, by key or by process."""
    table = registry._table
    return not (len(table) or table._by_key or table._by_process)
