"""Checks at the end of the demo. It fails if any of them does."""

from collections import Counter

from nexus_actors.demo.evidence import Evidence
from nexus_actors.demo.examples import Examples

Promise = tuple[bool, str]
"""Whether it holds, and its text."""


def check(examples: Examples, evidence: Evidence) -> list[Promise]:
    """Check the data. Returns each promise and whether it holds."""
    results = Counter(row["request_id"] for row in evidence.results)
    failed = {row["request_id"] for row in evidence.results if row["status"] != "success"}
    dead = Counter(row["request_id"] for row in evidence.dead)
    return [
        (
            dict(results) == dict.fromkeys(examples.ids, 1),
            f"{len(examples.ids)} requests, {sum(results.values())} results: one each",
        ),
        (
            all(results[request_id] == 1 for request_id in examples.duplicates),
            "what was sent twice was answered once",
        ),
        (
            failed == examples.refused and dict(dead) == dict.fromkeys(examples.refused, 1),
            f"{_of(len(dead), 'dead letter')}: {_of(len(dead), 'request')} that can never succeed",
        ),
        (
            bool(fallbacks(evidence)),
            f"{_of(len(fallbacks(evidence)), 'request')} answered by the next model of the route",
        ),
        (
            evidence.waiting == 0 and evidence.archived["messages"] == len(examples.messages),
            f"queues empty, {evidence.archived['messages']} messages in the archive",
        ),
    ]


def fallbacks(evidence: Evidence) -> list[str]:
    """Requests that failed with one model and were answered by another."""
    first: dict[str, tuple[str, str]] = {}
    changed: dict[str, None] = {}
    for row in evidence.attempts:
        tried = (row["provider"], row["model"])
        if first.setdefault(row["request_id"], tried) != tried and row["outcome"] == "ok":
            changed[row["request_id"]] = None
    return list(changed)


def _of(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
