"""Never run: what `make check` must accept of actors, and, where it says ignore, must refuse (an
ignore that is not needed is an error too, of mypy's as of pyright's).
"""

from __future__ import annotations

from typing import Any, assert_never, assert_type

from supervisors import ActorRef, Call, Caller, GenServer, NoReply, Normal, Reply, Stop


class Depth(Call[int]):
    pass


class Name(Call[str]):
    pass


async def calls(ref: ActorRef) -> None:
    assert_type(await ref.call(Depth()), int)
    number: str = await ref.call(Depth())  # type: ignore[arg-type] # pyright: ignore[reportAssignmentType]
    await ref.call("no call")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(number, str)


def complete(request: Depth | Name) -> int:
    match request:
        case Depth():
            return 1
        case Name():
            return 2
        case _:
            assert_never(request)


def incomplete(request: Depth | Name) -> int:
    match request:
        case Depth():
            return 1
        case _:
            assert_never(request)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def frozen(reply: Reply, no_reply: NoReply, stop: Stop) -> None:
    reply.value = 1  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    no_reply.timeout = 1.0  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    stop.reason = Normal()  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


class Wrong(GenServer):
    async def handle_call(self, request: Any, caller: Caller) -> Reply:
        return 1  # type: ignore[return-value] # pyright: ignore[reportReturnType]

    async def handle_cast(self, message: Any) -> Reply:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        return Reply(None)
