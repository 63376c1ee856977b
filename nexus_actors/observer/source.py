"""The port between the observer's screen and its data. The screen runs on asyncio. Sources run on
trio (`thread.py`); tests have a source of their own."""

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
"""The most seconds between two reads, however seldom the screen is drawn: after each, nodes show
themselves, count an actor's messages and trace it for ten seconds."""


class Away(Exception):
    """Reading or acting is impossible at present; the message is one line for the operator."""


class Action(Protocol):
    """An action of an operator, described before it is carried out."""

    @property
    def question(self) -> str:
        """The question whether to do it, which says what will happen."""
        ...

    @property
    def sql(self) -> str:
        """The SQL statement that does it, as one would type it; empty if there is none."""
        ...

    @property
    def cli(self) -> str:
        """The command that does it."""
        ...


class Source(Protocol):
    """Reads and acts for the observer. All coroutines raise Away. If cancelled, those that read
    leave nothing behind; `act` may have been carried out."""

    @property
    def subject(self) -> str:
        """What is observed: `this service`, `all nodes`."""
        ...

    async def overview(self) -> Overview:
        """State, rates, queues and nodes."""
        ...

    async def trees(self) -> Sequence[TreeSnapshot]:
        """The supervision tree of each node that is observed."""
        ...

    async def providers(self) -> Sequence[ProviderSnapshot]:
        """The providers, by node."""
        ...

    async def requests(self) -> Sequence[RequestSnapshot]:
        """Requests in work, then those that ended last: a bounded number."""
        ...

    async def request(self, request_id: str) -> str:
        """One request's story, as text of several lines."""
        ...

    async def waiting(self) -> Sequence[WaitingSnapshot]:
        """What waits: first the groups, which have no id, then the requests, the oldest first."""
        ...

    async def letters(self) -> Sequence[LetterSnapshot]:
        """The newest dead letters."""
        ...

    async def letter(self, number: int) -> str:
        """One letter, with long fields truncated."""
        ...

    async def log(self) -> Sequence[LogLine]:
        """The last lines of the log, oldest first."""
        ...

    async def actor(self, node: str, name: str) -> ActorSnapshot:
        """One actor of a node. `node` is empty for the service that runs here."""
        ...

    async def trace(self, node: str, name: str) -> TraceSnapshot:
        """What the actor did since the first call, which begins its trace. It ends by itself."""
        ...

    async def end_trace(self, node: str, name: str) -> None:
        """End the trace, if there is one."""
        ...

    def meant(self, action: Action) -> Action:
        """The action for what is observed, with the names of its queues."""
        ...

    async def act(self, action: Action) -> str:
        """Carry out an action. Returns what was done, in a line."""
        ...
