"""A source that knows what it was told."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nexus_actors.observer.snapshots import (
    ActorSnapshot,
    LetterSnapshot,
    LogLine,
    NodeSnapshot,
    Overview,
    ProviderSnapshot,
    QueueSnapshot,
    RequestSnapshot,
    TraceLine,
    TraceSnapshot,
    TreeSnapshot,
    WaitingSnapshot,
)
from nexus_actors.observer.source import Action, Away

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def actor(name: str, *children: Mapping[str, Any], **more: object) -> dict[str, Any]:
    """A node of a tree, as the service tells it."""
    return {
        "name": name,
        "class_name": "Supervisor" if children else "Worker",
        "type": "supervisor" if children else "worker",
        "status": "idle",
        "pid": 7,
        "restarts": 0,
        "recent_restarts": 0,
        "max_restarts": 3 if children else None,
        "mailbox_length": 0,
        "current_message": None,
        "since": None,
        "started_at": 0.0,
        "uptime": 75.0,
        "children": list(children),
        **more,
    }


TREE = actor(
    "Nexus.Supervisor",
    actor("Registry"),
    actor(
        "Pipeline.Supervisor",
        actor("Router"),
        actor("openai.Worker.1", restarts=2, status="busy", current_message="Run"),
    ),
    actor("Control", mailbox_length=4),
)


class FakeSource:
    """Each answer can be set; `away` makes all of them fail; `acts` are the actions it was told."""

    subject = "this service"

    def __init__(self) -> None:
        self.away = ""
        self.asked: list[str] = []
        self.acts: list[Action] = []
        self.traced: set[str] = set()
        self.ended = ""
        """Why a trace has."""
        self.messages = 0
        self.answers: dict[str, Any] = {
            "overview": Overview(
                state="degraded",
                summary="nexus 0.1.0, up 2h04m, at work 3",
                outages={"provider openai": "connection refused"},
                paused=["provider openai until 18:30: incident 4711"],
                waiting={"paused": 12},
                rate=3.25,
                failed_rate=0.5,
                mean_ms=812.0,
                spent_day=4.2,
                queues=[
                    QueueSnapshot(name="ai_requests", total=1200, visible=20, oldest_seconds=75.0),
                    QueueSnapshot(name="ai_results", total=0, visible=0, oldest_seconds=None),
                ],
                nodes=[node("nexus@host1", "ready"), node("nexus@host2", "lost")],
            ),
            "trees": [TreeSnapshot(node="", name="this service", root=TREE)],
            "providers": [provider("openai", "open"), provider("anthropic", "ok")],
            "requests": [request("request-1", "leased"), request("request-2", "failed")],
            "waiting": [waits(None, "not_leased"), waits("request-3", "paused")],
            "letters": [letter(17), letter(18)],
            "log": [
                LogLine(key=str(n), when="12:00:00", level="info", text=f"line {n}")
                for n in range(3)
            ],
            "actor": None,
        }

    def _answer(self, what: str) -> Any:
        self.asked.append(what)
        if self.away:
            raise Away(self.away)
        return self.answers[what]

    async def overview(self) -> Overview:
        found: Overview = self._answer("overview")
        return found

    async def trees(self) -> Sequence[TreeSnapshot]:
        found: Sequence[TreeSnapshot] = self._answer("trees")
        return found

    async def providers(self) -> Sequence[ProviderSnapshot]:
        found: Sequence[ProviderSnapshot] = self._answer("providers")
        return found

    async def requests(self) -> Sequence[RequestSnapshot]:
        found: Sequence[RequestSnapshot] = self._answer("requests")
        return found

    async def request(self, request_id: str) -> str:
        return f"the story of {request_id}"

    async def waiting(self) -> Sequence[WaitingSnapshot]:
        found: Sequence[WaitingSnapshot] = self._answer("waiting")
        return found

    async def letters(self) -> Sequence[LetterSnapshot]:
        found: Sequence[LetterSnapshot] = self._answer("letters")
        return found

    async def letter(self, number: int) -> str:
        return f'{{"letter": {number}}}'

    async def log(self) -> Sequence[LogLine]:
        found: Sequence[LogLine] = self._answer("log")
        return found

    async def actor(self, node: str, name: str) -> ActorSnapshot:
        self._answer("actor")
        self.messages += 10
        return ActorSnapshot(
            name=name,
            class_name="Worker",
            sys_state="running",
            state="{'provider': 'str'}",
            mailbox_length=3,
            links=["Pipeline.Supervisor"],
            monitors=[],
            monitored_by=["Router"],
            linked_tasks=["call"],
            messages=self.messages,
            busy_seconds=1.0,
        )

    async def trace(self, node: str, name: str) -> TraceSnapshot:
        self.traced.add(name)
        line = TraceLine(number=1, at=NOW, what="got Run in handle_cast")
        return TraceSnapshot(lines=[line], ended=self.ended)

    async def end_trace(self, node: str, name: str) -> None:
        self.traced.discard(name)

    def meant(self, action: Action) -> Action:
        return action

    async def act(self, action: Action) -> str:
        if self.away:
            raise Away(self.away)
        self.acts.append(action)
        return "done"


def node(name: str, state: str, **more: Any) -> NodeSnapshot:
    known: dict[str, Any] = {
        "node": f"id-of-{name}",
        "name": name,
        "state": state,
        "why": None,
        "version": "0.1.0",
        "in_flight": 3,
        "restarts": 0,
        "beat_age": 1.2,
        "started_at": NOW,
        "last_error": None,
        "chores": ["prune"],
    }
    return NodeSnapshot(**(known | more))


def provider(name: str, state: str, **more: Any) -> ProviderSnapshot:
    known: dict[str, Any] = {
        "name": name,
        "node": "",
        "state": state,
        "running": 3,
        "waiting": 12,
        "limit": 16,
        "rate": 1.5,
        "failed_rate": 0.0,
        "mean_ms": 812.0,
        "spent_hour": 0.5,
        "spent_day": 4.25,
    }
    return ProviderSnapshot(**(known | more))


def request(request_id: str, state: str, **more: Any) -> RequestSnapshot:
    known: dict[str, Any] = {
        "request_id": request_id,
        "state": state,
        "at": NOW,
        "agent_id": "crawler",
        "task_type": "coder",
        "provider": "openai",
        "model": "gpt-5",
        "latency_ms": 812,
        "cost": 0.01,
        "error_type": "timeout" if state == "failed" else None,
    }
    return RequestSnapshot(**(known | more))


def waits(request_id: str | None, reason: str, **more: Any) -> WaitingSnapshot:
    known: dict[str, Any] = {
        "request_id": request_id,
        "agent_id": "crawler",
        "reason": reason,
        "detail": "provider openai",
        "requests": 1 if request_id else 30,
        "since": NOW,
        "until": NOW + timedelta(hours=1),
        "before": 4 if request_id else None,
    }
    return WaitingSnapshot(**(known | more))


def letter(number: int, **more: Any) -> LetterSnapshot:
    known: dict[str, Any] = {
        "number": number,
        "request_id": f"request-{number}",
        "reason": "timeout",
        "provider": "openai",
        "dead_at": NOW,
        "wrong": "no answer in 60 s",
    }
    return LetterSnapshot(**(known | more))
