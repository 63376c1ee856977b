"""A counter that survives its own crash: an actor, its requests, a supervisor, a name."""

import logging
from dataclasses import dataclass
from typing import assert_never

import trio

from supervisors import (
    Call,
    Caller,
    ChildSpec,
    GenServer,
    Registry,
    Reply,
    ServerExited,
    Supervisor,
    open_tree,
)
from supervisors.testing import wait_until

names = Registry("names")
COUNTER = names.via("counter")  # stands for whichever process has the name at the time of use


# A request is a class. Its parameter is the type of the answer: `await ref.call(Add(2))` is an int.
@dataclass(frozen=True)
class Add(Call[int]):
    amount: int


@dataclass(frozen=True)
class Divide(Call[float]):
    by: int


class Counter(GenServer):
    """The state is in `self`. It needs no lock: messages are handled one at a time."""

    async def init(self) -> None:
        self.total = 0  # also after a restart

    async def handle_call(self, request: Add | Divide, caller: Caller) -> Reply:
        match request:
            case Add(amount):
                self.total += amount
                return Reply(self.total)
            case Divide(by):
                return Reply(self.total / by)  # if it raises, only this process ends
            case _:
                assert_never(request)  # type checkers report a missing request here

    async def handle_cast(self, message: Add) -> None:
        self.total += message.amount


def tree() -> Supervisor:
    children = [names.child_spec(), ChildSpec("counter", Counter, name=COUNTER)]
    return Supervisor(children, strategy="rest_for_one")


async def main() -> None:
    async with open_tree(tree):
        print("add 2:", await COUNTER.call(Add(2)))
        COUNTER.cast(Add(40))  # does not wait, and gets no answer
        print("add 0:", await COUNTER.call(Add(0)))

        try:
            await COUNTER.call(Divide(0))
        except ServerExited as error:
            print("divide by 0:", repr(error.__cause__))

        await wait_until(lambda: COUNTER.is_alive)  # during the restart, nobody has the name
        print("after the restart:", await COUNTER.call(Add(1)))


if __name__ == "__main__":
    logging.getLogger("supervisors").addHandler(logging.NullHandler())  # no report of the crash
    trio.run(main)
