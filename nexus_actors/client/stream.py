"""A streamed answer: pieces of text, then the whole answer."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeAlias, TypeVar

from nexus_actors.client.errors import CallError
from nexus_actors.contract.result import Answer, LLMResult
from nexus_actors.contract.stream import Piece

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Restarted:
    """A call failed after some text had arrived. A new answer follows from its beginning."""


StreamEvent: TypeAlias = str | Restarted
Heard: TypeAlias = Piece | LLMResult | CallError
"""What arrives while a stream is read. After a result or an error, nothing more arrives."""


class PieceOrder:
    """Puts the pieces of a text in order. After a lost piece, only the result has the rest."""

    def __init__(self) -> None:
        self._attempt = -1
        self._next = 0
        self._pieces: list[str] = []
        self._lost = False

    def take(self, piece: Piece) -> Iterator[StreamEvent]:
        """The events for the caller after one more piece."""
        if piece.attempt > self._attempt:
            if self._pieces:
                yield Restarted()
            self._attempt, self._next, self._pieces, self._lost = piece.attempt, 0, [], False
        elif piece.attempt < self._attempt:
            return
        self._lost = self._lost or piece.number != self._next
        if not self._lost and piece.text:
            self._next += 1
            self._pieces.append(piece.text)
            yield piece.text

    def rest(self, response: str) -> Iterator[StreamEvent]:
        """The remaining events, from the whole answer."""
        before = "".join(self._pieces)
        if not response.startswith(before):
            yield Restarted()
            before = ""
        if len(response) > len(before):
            yield response[len(before) :]


class AnswerStream(Generic[A]):
    """Iterate over the text as it arrives; afterwards `answer` has the whole answer.

    The texts since the last `Restarted` make up the answer's text, even if pieces were lost: what
    the provider cannot stream, or the database did not deliver, comes in one piece at the end.
    """

    def __init__(
        self, heard: "MemoryObjectReceiveStream[Heard]", finish: Callable[[LLMResult], A]
    ) -> None:
        self._heard = heard
        self._finish = finish
        self._order = PieceOrder()
        self._events: deque[StreamEvent] = deque()
        self._answer: A | None = None

    @property
    def answer(self) -> A:
        """The whole answer. Raises RuntimeError before the iteration has ended."""
        if self._answer is None:
            raise RuntimeError("the stream is not at its end yet: iterate over it first")
        return self._answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent:
        """The next text. Raises the errors of `client.errors`, as `call` does."""
        while not self._events:
            if self._answer is not None:
                raise StopAsyncIteration
            match await self._heard.receive():
                case Piece() as piece:
                    self._events.extend(self._order.take(piece))
                case LLMResult() as result:
                    self._answer = self._finish(result)
                    if isinstance(result.outcome, Answer):
                        self._events.extend(self._order.rest(result.outcome.response or ""))
                case CallError() as error:
                    raise error
        return self._events.popleft()
