"""`nexus drill`: many faults at once, and whether the promises held."""

import json as json_module
import logging
import random
import shutil
import signal
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter, validators

from nexus_actors.cli import exit_codes
from nexus_actors.cli.options import AsJson
from nexus_actors.cli.report import CommandError, note, print_json
from nexus_actors.drill import evidence, view
from nexus_actors.drill.database import DrillDatabase, open_drill_database
from nexus_actors.drill.evidence import Verdict
from nexus_actors.drill.fleet import Limits, Service, open_fleet
from nexus_actors.drill.provider import DrillProvider, open_provider
from nexus_actors.drill.state import State
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.connection import Connection, PostgresPool, open_postgres

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK = 0.1
BATCH = 20
"""The most messages per statement."""
ANY = validators.Number(gte=0)
SOME = validators.Number(gte=1)
SHARE = validators.Number(gte=0, lte=0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the drill will do."""

    requests: int
    duplicates: int
    kills: int
    restarts: int
    fault_share: float
    seconds: float
    processes: int
    seed: int

    @property
    def limits(self) -> Limits:
        """Limits that are on, but high enough for late and repeated calls."""
        return Limits(
            per_minute=max(6_000.0, 240.0 * self.requests / self.seconds),
            dollars=max(1.0, 0.001 * self.requests),
        )


def drill(
    *,
    requests: Annotated[
        int, Parameter(help="Messages sent, duplicates included.", validator=SOME)
    ] = 2000,
    duplicates: Annotated[
        int | None, Parameter(help="Duplicates among them; default: a tenth.", validator=ANY)
    ] = None,
    kill: Annotated[int, Parameter(help="SIGKILLs of services.", validator=ANY)] = 20,
    db_restart: Annotated[
        int, Parameter(help="Immediate restarts of PostgreSQL.", validator=ANY)
    ] = 5,
    provider_faults: Annotated[
        float, Parameter(help="Share of calls that fail, 0 to 0.9.", validator=SHARE)
    ] = 0.3,
    seconds: Annotated[float, Parameter(help="Duration of the drill.", validator=SOME)] = 60.0,
    processes: Annotated[int, Parameter(help="Services on the database.", validator=SOME)] = 2,
    seed: Annotated[int | None, Parameter(help="Repeat the random choices of a drill.")] = None,
    url: Annotated[
        str | None, Parameter(help="A PostgreSQL server to use instead of an embedded one.")
    ] = None,
    json: AsJson = False,
) -> int:
    """Kill services and PostgreSQL under load, let a provider misbehave, and check every promise.

    Runs on an embedded server in its own directory, with a simulated provider, and leaves nothing
    behind. With `--url` (a role that may create databases) it uses that server: it creates its own
    database, drops it at the end, and ends all connections to it instead of restarting the server.
    Exit code 1 if a promise was broken.

    Example: nexus drill --seed 2 --requests 500
    """
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # it would log every outage we cause
    plan = Plan(
        requests=requests,
        duplicates=min(requests // 10 if duplicates is None else duplicates, requests - 1),
        kills=kill,
        restarts=db_restart,
        fault_share=provider_faults,
        seconds=seconds,
        processes=processes,
        seed=random.SystemRandom().randrange(2**31) if seed is None else seed,
    )
    verdict = trio.run(_until_signal, plan, url, json)
    if json:
        print_json(verdict.as_dict())
    else:
        view.show(verdict)
    return exit_codes.FAILED if verdict.breaches else exit_codes.OK


async def _until_signal(plan: Plan, url: str | None, quiet: bool) -> Verdict:
    """Run the drill. A signal ends it early, with everything that it has started."""
    async with trio.open_nursery() as nursery:
        arrived: list[int] = []

        async def watch(arrivals: AsyncIterator[int]) -> None:
            async for number in arrivals:
                arrived.append(number)
                nursery.cancel_scope.cancel()

        with trio.open_signal_receiver(*SIGNALS) as arrivals:
            nursery.start_soon(watch, arrivals)
            verdict = await _drill(plan, url, quiet)
            nursery.cancel_scope.cancel()
            return verdict
    raise CommandError(
        f"ended by {signal.Signals(arrived[0]).name} (--seed {plan.seed})", 128 + arrived[0]
    )


async def _drill(plan: Plan, url: str | None, quiet: bool) -> Verdict:
    folder = Path(tempfile.mkdtemp(prefix="nexus-drill-"))
    try:
        chance = random.Random(plan.seed)  # noqa: S311 - a drill's luck, to be repeated
        async with (
            open_drill_database(folder / "database", url) as database,
            open_provider(random.Random(chance.random()), plan.fault_share) as provider,  # noqa: S311
            open_fleet(folder, plan.processes, database.url, provider.url, plan.limits) as services,
            open_postgres(database.url, pool_size=2, application_name="nexus drill") as pool,
        ):
            if not quiet:
                note(f"the drill begins (--seed {plan.seed})")
            with view.progress(
                plan.requests - plan.duplicates, plan.kills, plan.restarts, quiet
            ) as tell:
                return await Drill(plan, chance, database, provider, services, pool, tell).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Drill:
    """One drill, from the first message to the verdict."""

    def __init__(
        self,
        plan: Plan,
        chance: random.Random,
        database: DrillDatabase,
        provider: DrillProvider,
        services: list[Service],
        pool: PostgresPool,
        tell: Callable[[State], None],
    ) -> None:
        self._plan = plan
        self._chance = chance
        self._database = database
        self._provider = provider
        self._services = services
        self._back, self._up = trio.open_memory_channel[Service](len(services))
        for service in services:
            self._back.send_nowait(service)
        self._pool = pool
        self._tell = tell
        self._ids = [f"{plan.seed}-{n}" for n in range(plan.requests - plan.duplicates)]
        self._sent: set[str] = set()
        self._state = State()

    async def run(self) -> Verdict:
        """Run the whole drill, until every request has ended or nothing progresses any more."""
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send)
            for moment in self._moments(self._plan.kills):
                nursery.start_soon(self._kill, moment)
            nursery.start_soon(self._restarts)
            await self._watch()
            # The rest of the plan is carried out, unless nothing progresses.
            if self._state.stands_still:
                nursery.cancel_scope.cancel()
        await self._watch()
        gave_up = self._state.stands_still
        codes = [await service.stop() for service in self._services]
        found = await evidence.counts(
            self._pool, self._sent, self._provider.answered, self._provider.billed
        )
        state, recoveries = self._state, self._state.recoveries
        return Verdict(
            requests=len(self._sent),
            messages=state.sent,
            calls=self._provider.calls,
            faults=sum(self._provider.faults.values()),
            kills=state.kills,
            restarts=state.restarts,
            longest_outage=round(state.longest_outage, 2),
            recovery_median=round(statistics.median(recoveries), 2) if recoveries else None,
            recovery_max=round(max(recoveries), 2) if recoveries else None,
            seconds=round(trio.current_time() - began, 1),
            stopped_cleanly=codes == [0] * len(codes),
            gave_up=gave_up,
            seed=self._plan.seed,
            **found,
            budget=self._plan.limits.dollars,
        )

    def _moments(self, count: int) -> list[float]:
        return sorted(self._chance.uniform(0.02, 0.98) * self._plan.seconds for _ in range(count))

    async def _kill(self, moment: float) -> None:
        """Kill the service that has been up the longest, or else the next one that is up."""
        await trio.sleep(moment)
        service = await self._up.receive()
        self._state.recoveries.append(await service.kill())
        self._state.kills += 1
        self._state.acted()
        self._back.send_nowait(service)

    async def _restarts(self) -> None:
        began = trio.current_time()
        for moment in self._moments(self._plan.restarts):
            await trio.sleep_until(began + moment)
            await self._database.restart()
            self._state.restarts += 1
            self._state.acted()

    async def _send(self) -> None:
        """Send all ids in random order over the duration of the drill, some of them twice."""
        names = self._ids + self._chance.choices(self._ids, k=self._plan.duplicates)
        self._chance.shuffle(names)
        pause = 0.8 * self._plan.seconds / max(len(names) / BATCH, 1)
        began = trio.current_time()
        for number, start in enumerate(range(0, len(names), BATCH)):
            await trio.sleep_until(began + number * pause)
            await self._send_batch(names[start : start + BATCH])

    async def _send_batch(self, names: list[str]) -> None:
        messages = [json_module.dumps(_request(name)) for name in names]
        while True:
            try:
                await self._pool.run(_insert, messages)
            except StorageError:
                await trio.sleep(LOOK)  # it may have been sent: then there is one more duplicate
            else:
                self._state.sent += len(names)
                self._sent.update(names)
                return

    async def _watch(self) -> None:
        while True:
            await trio.sleep(LOOK)
            try:
                (row,) = await evidence.read(self._pool, evidence.PROGRESS)
            except StorageError:
                continue
            self._state.saw(row["ended"])
            self._tell(self._state)
            sent = self._state.sent >= self._plan.requests
            if sent and row["ended"] >= len(self._ids) and not row["queued"] + row["unstored"]:
                return
            if self._state.stands_still:
                return


def _request(name: str) -> dict[str, object]:
    return {
        "request_id": name,
        "complexity": "simple",
        "messages": [{"role": "user", "content": name}],
    }


async def _insert(connection: Connection, messages: list[str]) -> None:
    await connection.execute("SELECT pgmq.send_batch('ai_requests', $1::jsonb[])", messages)
