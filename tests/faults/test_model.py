"""Any order of sending, leasing, crashing, answering and giving up, over the real SQL: each id that
was sent gets one result, and never two."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import anyio.from_thread
import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.requests import Delivery
from tests.integration.storage.storage_helpers import give_back, other_instance, send, sql, success

T = TypeVar("T")
IDS = st.sampled_from(["a", "b", "c"])
INSTANCES = st.sampled_from(["one", "two"])
EMPTY = (
    "TRUNCATE pgmq.q_ai_requests, pgmq.a_ai_requests, pgmq.q_ai_results, pgmq.a_ai_results,"
    " pgmq.q_ai_requests_dead, nexus.requests, nexus.attempts"
)
RESULTS = "SELECT message ->> 'request_id' AS id, count(*) AS n FROM pgmq.q_ai_results GROUP BY 1"
BOTH = "SELECT q.msg_id FROM pgmq.q_ai_requests AS q JOIN pgmq.a_ai_requests AS a USING (msg_id)"
ENDED = "SELECT request_id FROM nexus.requests WHERE state IN ('done', 'failed')"


class Queue(RuleBasedStateMachine):
    """Two instances on one queue. A subclass says on which database."""

    url: str
    portal: anyio.from_thread.BlockingPortal

    @initialize()
    def open(self) -> None:
        self._manager = self.portal.wrap_async_context_manager(
            open_database(self.url, instance_id="one")
        )
        self.db: PostgresDatabase = self._manager.__enter__()
        self.stores = {"one": self.db.requests, "two": other_instance(self.db)}
        self.held: dict[str, list[Delivery]] = {"one": [], "two": []}
        self.sent: set[str] = set()
        self.results: Mapping[str, int] = {}
        self.run(sql, self.db, EMPTY)

    def run(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        return self.portal.call(function, *arguments)

    def take(self, name: str) -> Delivery | None:
        return self.held[name].pop(0) if self.held[name] else None

    @rule(request_id=IDS, payload=st.integers(1, 2))
    def send(self, request_id: str, payload: int) -> None:
        self.run(send, self.db, {"request_id": request_id, "n": payload, "messages": []})
        self.sent.add(request_id)

    @rule(name=INSTANCES, quantity=st.integers(1, 3))
    def lease(self, name: str, quantity: int) -> None:
        store = self.stores[name]
        deliveries = self.run(store.lease, quantity, 30)
        self.accept(name, deliveries)

    @rule(name=INSTANCES)
    def take_waiting(self, name: str) -> None:
        store = self.stores[name]
        self.accept(name, self.run(store.take_waiting, {"lane": 2}, 30))

    def accept(self, name: str, deliveries: list[Delivery]) -> None:
        store = self.stores[name]
        self.run(store.discard, [it.lease for it in deliveries if it.verdict == "duplicate"])
        for delivery in deliveries:
            if delivery.verdict == "conflict":
                bury = success(delivery, result=None, dead_reason="duplicate_request")
                self.run(store.finish, [replace(bury, request_id=None)])
        self.held[name] += [it for it in deliveries if it.verdict == "claimed"]

    @rule()
    def expire(self) -> None:
        self.run(sql, self.db, "UPDATE pgmq.q_ai_requests SET vt = clock_timestamp()")

    @rule(name=INSTANCES)
    def extend(self, name: str) -> None:
        self.run(self.stores[name].extend, [it.lease for it in self.held[name]], 30)

    @rule(name=INSTANCES, twice=st.booleans())
    def finish(self, name: str, twice: bool) -> None:
        if (delivery := self.take(name)) is not None:
            for _ in range(2 if twice else 1):
                self.run(self.stores[name].finish, [success(delivery)])

    @rule(name=INSTANCES)
    def fail(self, name: str) -> None:
        if (delivery := self.take(name)) is not None:
            dead = success(delivery, succeeded=False, dead_reason="timeout")
            self.run(self.stores[name].finish, [dead])

    @rule(name=INSTANCES)
    def answer_from_the_spool(self, name: str) -> None:
        if (delivery := self.take(name)) is not None:
            store, request_id = self.stores[name], str(delivery.request_id)
            leases = self.run(store.reclaim, {request_id: delivery.lease.msg_id})
            lease = leases.get(request_id, delivery.lease)
            self.run(store.finish, [replace(success(delivery), lease=lease)])

    @rule(name=INSTANCES, lane=st.sampled_from([None, "lane"]))
    def give_back(self, name: str, lane: str | None) -> None:
        if (delivery := self.take(name)) is not None:
            self.run(self.stores[name].give_back, [give_back(delivery, waits_for=lane)])

    @rule(name=INSTANCES)
    def crash(self, name: str) -> None:
        self.held[name] = []
        store = self.stores[name]
        self.portal.call(lambda: store.release_orphans([], called=True))

    @invariant()
    def one_result_each_and_no_message_twice(self) -> None:
        if not hasattr(self, "db"):
            return
        before = self.results
        self.results = {row["id"]: row["n"] for row in self.run(sql, self.db, RESULTS)}
        assert set(self.results.values()) <= {1}, self.results
        assert before.keys() <= self.results.keys() <= self.sent
        ended = {row["request_id"] for row in self.run(sql, self.db, ENDED)}
        assert ended == self.results.keys()
        assert self.run(sql, self.db, BOTH) == []

    def teardown(self) -> None:
        if not hasattr(self, "db"):
            return
        try:
            self.crash("one")
            self.crash("two")
            for _ in range(20):
                self.expire()
                self.lease("one", 3)
                while self.held["one"]:
                    self.finish("one", twice=False)
            self.one_result_each_and_no_message_twice()
            assert self.results.keys() == self.sent, "lost"
            assert self.run(sql, self.db, "SELECT msg_id FROM pgmq.q_ai_requests") == []
        finally:
            self._manager.__exit__(None, None, None)


def test_any_order_of_events_ends_each_request_once(database_url: str) -> None:
    with anyio.from_thread.start_blocking_portal(backend="trio") as portal:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            type("OnDatabase", (Queue,), {"url": database_url, "portal": portal}),
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                suppress_health_check=list(HealthCheck),
            ),
        )
