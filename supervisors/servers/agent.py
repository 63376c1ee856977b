"""Agent: state that others read and change with functions (Elixir `Agent`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from supervisors._core.actor_ref import ActorRef, Caller
from supervisors._core.messages import Call, CallResult, Reply
from supervisors.errors import BadReturnValue
from supervisors.servers.gen_server import GenServer

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Get(Call[T]):
    function: Callable[[Any], T]


@dataclass(frozen=True, slots=True)
class _Update(Call[None]):
    function: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _GetAndUpdate(Call[T]):
    function: Callable[[Any], tuple[T, Any]]


class Agent(GenServer, Generic[S]):
    """Keeps state that others read and change with plain (not async) functions.

        class Counter(Agent[int]):
            ...

        ChildSpec("counter", lambda: Counter(lambda: 0), name=registry.via("counter"))
        await Counter.update(registry.via("counter"), lambda n: n + 1)

    A subclass like Counter states the type of the state, so that the type checker knows what the
    functions get; `Agent[int].update(...)` does so, too. Functions run in the agent, one at a time:
    a function that blocks or takes long delays all others, and one that raises ends the agent. Use
    a GenServer for state that has its own rules.
    """

    def __init__(self, initial: Callable[[], S]) -> None:
        """initial: makes the state at each start; if it raises, the start fails."""
        self.__initial = initial
        self.__state: S

    @classmethod
    async def get(
        cls: type[Agent[S]], agent: ActorRef, function: Callable[[S], T], *, timeout: float = 5.0
    ) -> T:
        """Return `function(state)` (Elixir `Agent.get/3`).

        Raises what ActorRef.call raises; ServerExited if the function raised. If this is cancelled,
        the function may still run. The same holds for the other calls.
        """
        return await agent.call(_Get(function), timeout=timeout)

    @classmethod
    async def update(
        cls: type[Agent[S]], agent: ActorRef, function: Callable[[S], S], *, timeout: float = 5.0
    ) -> None:
        """Make `function(state)` the state (Elixir `Agent.update/3`)."""
        await agent.call(_Update(function), timeout=timeout)

    @classmethod
    async def get_and_update(
        cls: type[Agent[S]],
        agent: ActorRef,
        function: Callable[[S], tuple[T, S]],
        *,
        timeout: float = 5.0,
    ) -> T:
        """`function(state)` gives what is returned and the new state (Elixir
        `Agent.get_and_update/3`).

        If it gives anything but a pair, the agent ends with BadReturnValue.
        """
        return await agent.call(_GetAndUpdate(function), timeout=timeout)

    @classmethod
    def cast(cls: type[Agent[S]], agent: ActorRef, function: Callable[[S], S]) -> None:
        """`update` without waiting for it (Elixir `Agent.cast/2`)."""
        agent.cast(_Update(function))

    # --- in the agent ---

    async def init(self) -> None:
        """Make the state."""
        self.__state = self.__initial()

    async def handle_call(self, request: Any, caller: Caller) -> CallResult:
        """Run the function."""
        match request:
            case _Get(function):
                return Reply(function(self.__state))
            case _Update(function):
                self.__state = function(self.__state)
                return Reply(None)
            case _GetAndUpdate(function):
                match function(self.__state):
                    case (reply, state):
                        self.__state = state
                        return Reply(reply)
                    case other:
                        raise BadReturnValue("the function of get_and_update", other)
        return await super().handle_call(request, caller)

    async def handle_cast(self, message: Any) -> None:
        """Run the function."""
        match message:
            case _Update(function):
                self.__state = function(self.__state)
            case _:
                await super().handle_cast(message)
