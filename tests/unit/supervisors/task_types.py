"""Never run: what mypy in `make check` must accept of tasks and agents, and, where it says ignore,
must refuse (an ignore that is not needed is an error too).
"""

from __future__ import annotations

from typing import assert_type

from supervisors import ActorRef, Agent, Exited, Ok, Task, TaskSupervisor


async def add(number: int, text: str) -> float:
    return number + float(text)


async def show(number: int) -> str:
    return str(number)


async def tasks(ref: ActorRef) -> None:
    task = await TaskSupervisor.async_(ref, add, 1, "2")
    assert_type(task, Task[float])
    assert_type(await task.result(), float)
    assert_type(await task.poll(1.0), Ok[float] | Exited | None)
    assert_type(await task.shutdown("brutal_kill"), Ok[float] | Exited | None)
    assert_type(await Task.await_many([task, task], timeout=1.0), list[float])
    anything: Task[object] = task
    assert_type(await anything.result(), object)

    wrong: Task[str] = await TaskSupervisor.async_nolink(ref, add, 1, "2")  # type: ignore[arg-type]
    assert_type(await wrong.result(), str)
    await TaskSupervisor.async_(ref, add, "1", "2")  # type: ignore[arg-type]
    await TaskSupervisor.async_nolink(ref, add, 1)  # type: ignore[arg-type]
    await TaskSupervisor.start_child(ref, add, 1, 2)  # type: ignore[arg-type]
    await TaskSupervisor.start_child(ref, len, "not async")  # type: ignore[arg-type]
    Task.child_spec("id", show, "1")  # type: ignore[arg-type]


async def streams(ref: ActorRef) -> None:
    async with TaskSupervisor.async_stream(ref, [1, 2], show, max_concurrency=2) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Ok[str] | Exited)
    TaskSupervisor.async_stream(ref, ["1"], show)  # type: ignore[arg-type]
    TaskSupervisor.async_stream_nolink(ref, [1], show, on_timeout="wait")  # type: ignore[arg-type]
    TaskSupervisor.async_stream_nolink(ref, [1], show, concurrency=2)  # type: ignore[call-arg]


class Counter(Agent[int]):
    pass


async def agents(ref: ActorRef) -> None:
    assert_type(await Counter.get(ref, lambda number: number + 1), int)
    assert_type(await Agent[int].get(ref, lambda number: f"{number}"), str)
    assert_type(await Counter.get_and_update(ref, lambda number: (str(number), number)), str)
    Counter.cast(ref, lambda number: number + 1)
    Counter(lambda: "0")  # type: ignore[arg-type, return-value]
    Counter.cast(ref, lambda number: f"{number}")  # type: ignore[arg-type, return-value]
    await Counter.get_and_update(ref, lambda number: number)  # type: ignore[arg-type, return-value]
