"""Where the observer learns what it shows: the port between the screen, which runs on asyncio, and
what it looks at, which is asked on trio (`thread.py`), or is made up for a test."""

from collections.abc import Sequence
from typing import Final, Protocol

from nexus_actors.observer.snapshots import (
    ActorSnapshot,
    LetterSnapshot,
    LogLine,
    Overview,
    ProviderSnapshot,
    RequestSnapshot,
    TraceSnapshot,
    TreeSnapshot,
    WaitingSnapshot,
)

OFTEN: Final = 5.0
"""Seconds between two questions at most, however seldom the screen is drawn: nodes show themselves,
count an actor's messages and trace it for ten seconds after each."""


class Away(Exception):
    """It cannot be found out or done at present; the message is one line for the operator."""


class Action(Protocol):
    """What an operator may do, told before it is done."""

    @property
    def question(self) -> str:
        """What will happen, in words."""
        ...

    @property
    def sql(self) -> str:
        """The statement that does it, as one would type it; empty where none does."""
        ...

    @property
    def cli(self) -> str:
        """The command that does it."""
        ...


class Source(Protocol):
    """All of these raise Away. Cancelled, those that look have done nothing; `act` may have been
    carried out."""

    @property
    def subject(self) -> str:
        """What is looked at: `this service`, `all nodes`."""
        ...

    async def overview(self) -> Overview:
        """How it is."""
        ...

    async def trees(self) -> Sequence[TreeSnapshot]:
        """The supervision tree of each node that is looked at."""
        ...

    async def providers(self) -> Sequence[ProviderSnapshot]:
        """The providers, by node."""
        ...

    async def requests(self) -> Sequence[RequestSnapshot]:
        """Those in work, then those that ended last: a bounded number."""
        ...

    async def request(self, request_id: str) -> str:
        """One request's story, as text of several lines."""
        ...

    async def waiting(self) -> Sequence[WaitingSnapshot]:
        """What waits: groups that have no id first, then those that wait longest."""
        ...

    async def letters(self) -> Sequence[LetterSnapshot]:
        """The newest dead letters."""
        ...

    async def letter(self, number: int) -> str:
        """One letter, its long fields cut."""
        ...

    async def log(self) -> Sequence[LogLine]:
        """The last lines, oldest first."""
        ...

    async def actor(self, node: str, name: str) -> ActorSnapshot:
        """One actor of a node; '' is the service that runs here."""
        ...

    async def trace(self, node: str, name: str) -> TraceSnapshot:
        """What it did since it is traced, which begins with the first call, and ends by itself."""
        ...

    async def end_trace(self, node: str, name: str) -> None:
        """The view is closed; nothing if it is not traced."""
        ...

    def meant(self, action: Action) -> Action:
        """The action as it is for what is looked at, with the names of its queues."""
        ...

    async def act(self, action: Action) -> str:
        """Carry it out; what was done, in a line."""
        ...
