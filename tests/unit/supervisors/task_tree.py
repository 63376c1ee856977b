"""An owner and a task supervisor to test tasks with, and functions for the tasks to run."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from supervisors import ActorRef, ChildSpec, Supervisor, Task, TaskError, TaskSupervisor, open_tree
from tests.unit.supervisors.actors import Do, child, puppet

BOOM = ValueError("boom")


@asynccontextmanager
async def owner_and_tasks(
    *, trap: bool = False, **options: Any
) -> AsyncIterator[tuple[ActorRef, ActorRef]]:
    """A Puppet, and a TaskSupervisor with these options."""
    specs = [
        ChildSpec("tasks", lambda: TaskSupervisor(**options), type="supervisor"),
        puppet("owner", trap=trap, restart="temporary"),
    ]
    async with open_tree(lambda: Supervisor(specs)) as top:
        yield await child(top, "owner"), await child(top, "tasks")


async def have(owner: ActorRef, start: Any, *args: Any, **options: Any) -> Task[Any]:
    """Let the owner start a task."""
    task: Task[Any] = await owner.call(Do(lambda _: start(*args, **options)))
    return task


async def ask(owner: ActorRef, question: Callable[[], Awaitable[Any]]) -> Any:
    """Let the owner await `question()`. The TaskError it gets is raised here, not there."""

    async def run(_: Any) -> Any:
        try:
            return await question()
        except TaskError as error:
            return error

    answer = await owner.call(Do(run), timeout=1000)
    if isinstance(answer, TaskError):
        raise answer
    return answer


async def got(owner: ActorRef) -> list[Any]:
    """What the owner's handle_info was given so far."""
    await trio.sleep(0.01)
    return list(await owner.call(Do(lambda me: me.got)))


async def nap(seconds: float) -> float:
    await trio.sleep(seconds)
    return seconds


async def fail(error: Exception, seconds: float = 0.0) -> None:
    await trio.sleep(seconds)
    raise error


async def slow_to_end(journal: list[str], seconds: float) -> None:
    """Runs until it is cancelled, and then cleans up for so long."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)
        journal.append("cleaned up")
