"""A chat room: members join, talk and leave; one crashes, and the others are notified.

The room monitors its members: a `Down` says who has ended, and why.
"""

import logging
from dataclasses import dataclass

import trio
from trio.testing import wait_all_tasks_blocked

from supervisors import (
    ActorRef,
    ChildSpec,
    Down,
    DynamicSupervisor,
    ExitReason,
    GenServer,
    Monitor,
    Normal,
    Registry,
    Stop,
    Supervisor,
    open_tree,
)

names = Registry("names")
ROOM, MEMBERS = names.via("room"), names.via("members")


@dataclass(frozen=True)
class Join:
    name: str
    member: ActorRef


@dataclass(frozen=True)
class Said:
    name: str
    words: str


class Room(GenServer):
    async def init(self) -> None:
        self.members: dict[Monitor, tuple[str, ActorRef]] = {}

    async def handle_cast(self, message: Join | Said) -> None:
        match message:
            case Join(name, member):
                self.tell_all(Said("room", f"{name} joined"))
                self.members[self.monitor(member)] = (name, member)
            case Said():
                self.tell_all(message)

    async def handle_info(self, info: object) -> None:
        match info:
            case Down(monitor, _, reason):  # exactly one per member, however it ended
                name, _ = self.members.pop(monitor)
                self.tell_all(
                    Said("room", f"{name} {'left' if reason == Normal() else 'vanished'}")
                )

    def tell_all(self, message: Said) -> None:
        for _, member in self.members.values():
            member.cast(message)


class Member(GenServer):
    trap_exit = True  # so that terminate runs, also when the supervisor stops it

    def __init__(self, name: str) -> None:
        self.label = name
        self.read: list[str] = []

    async def init(self) -> None:
        ROOM.cast(Join(self.label, self.ref))

    async def handle_cast(self, message: Said) -> Stop | None:
        self.read.append(f"<{message.name}> {message.words}")
        match message:
            case Said(self.label, "bye"):
                return Stop(Normal())
            case Said(self.label, "crash"):
                raise RuntimeError("the member's own fault")
        return None

    async def terminate(self, reason: ExitReason) -> None:
        print(f"{self.label} has read:", *self.read, sep="\n  ")


def tree() -> Supervisor:
    room = ChildSpec("room", Room, name=ROOM)
    members = ChildSpec("members", DynamicSupervisor, type="supervisor", name=MEMBERS)
    # A new room has no members: with rest_for_one the members end with the old one.
    return Supervisor([names.child_spec(), room, members], strategy="rest_for_one")


async def join(name: str) -> None:
    spec = ChildSpec("member", lambda: Member(name), restart="temporary")  # never restarted
    await DynamicSupervisor.start_child(MEMBERS, spec)


async def say(name: str, words: str) -> None:
    ROOM.cast(Said(name, words))
    await wait_all_tasks_blocked()  # until all have read it


async def main() -> None:
    async with open_tree(tree):
        for name in ("ann", "bob", "cid"):
            await join(name)
        await say("ann", "hello")
        await say("bob", "bye")
        await say("cid", "crash")


if __name__ == "__main__":
    logging.getLogger("supervisors").addHandler(logging.NullHandler())  # no report of the crash
    trio.run(main)
