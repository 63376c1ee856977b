"""A supervised pool: if a worker crashes, its job is retried, and the worker is restarted.

The pool monitors its workers, so that no job is lost. The supervisor restarts the workers.
"""

import logging
from collections import deque
from dataclasses import dataclass, replace

import trio

from supervisors import (
    ActorRef,
    Call,
    Caller,
    ChildSpec,
    Down,
    GenServer,
    NoReply,
    Registry,
    Supervisor,
    open_tree,
)

ATTEMPTS = 2
names = Registry("names")
POOL = names.via("pool")


@dataclass(frozen=True)
class Square(Call[int]):
    number: int


@dataclass(frozen=True)
class Job:
    number: int
    caller: Caller  # anyone may answer it
    attempt: int = 1


@dataclass(frozen=True)
class Ready:
    worker: ActorRef


class Pool(GenServer):
    async def init(self) -> None:
        self.jobs: deque[Job] = deque()
        self.idle: deque[ActorRef] = deque()
        self.busy: dict[ActorRef, Job] = {}

    async def handle_call(self, request: Square, caller: Caller) -> NoReply:
        self.jobs.append(Job(request.number, caller))
        self.give()
        return NoReply()  # a worker replies later; the pool takes the next request meanwhile

    async def handle_cast(self, message: Ready) -> None:
        if self.busy.pop(message.worker, None) is None:  # a new worker
            self.monitor(message.worker)
        self.idle.append(message.worker)
        self.give()

    async def handle_info(self, info: object) -> None:
        match info:
            case Down(_, worker, _) if job := self.busy.pop(worker, None):
                if job.attempt < ATTEMPTS:
                    self.jobs.appendleft(replace(job, attempt=job.attempt + 1))
                    self.give()
                else:
                    job.caller.fail(RuntimeError(f"given up after {ATTEMPTS} attempts"))
            case Down(_, worker, _):
                self.idle.remove(worker)

    def give(self) -> None:
        while self.jobs and self.idle:
            worker, job = self.idle.popleft(), self.jobs.popleft()
            self.busy[worker] = job
            worker.cast(job)


class Worker(GenServer):
    async def init(self) -> None:
        POOL.cast(Ready(self.ref))

    async def handle_cast(self, message: Job) -> None:
        if message.number == 13 or (message.number == 7 and message.attempt == 1):
            raise RuntimeError(f"{message.number} is too much for me")
        await trio.sleep(0.01)  # stands for the work
        message.caller.reply(message.number**2)
        POOL.cast(Ready(self.ref))


def tree() -> Supervisor:
    pool = ChildSpec("pool", Pool, name=POOL)
    two = [ChildSpec(f"worker {number}", Worker) for number in range(2)]
    workers = ChildSpec("workers", lambda: Supervisor(two), type="supervisor")
    return Supervisor([names.child_spec(), pool, workers], strategy="rest_for_one")


async def main() -> None:
    answers: dict[int, object] = {}

    async def ask(number: int) -> None:
        try:
            answers[number] = await POOL.call(Square(number))
        except RuntimeError as error:
            answers[number] = error

    async with open_tree(tree), trio.open_nursery() as nursery:
        for asked in (2, 3, 7, 13, 20):
            nursery.start_soon(ask, asked)
    for number, answer in sorted(answers.items()):
        print(number, "->", answer)


if __name__ == "__main__":
    logging.getLogger("supervisors").addHandler(logging.NullHandler())  # no report of the crashes
    trio.run(main)
