"""SQL from files, and the names that are inserted into it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from nexus_actors.settings.model import QueueSettings

_PACKAGE = "nexus_actors.storage.postgres"
_NAME = re.compile(r"[a-z0-9_]{1,47}")


def queue_name(name: str) -> str:
    """`name`, if PGMQ and we can use it as a queue's name. Raises ValueError if not.

    PGMQ converts names to lower case and forbids few characters. We use names as SQL identifiers.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a queue name (a-z, 0-9, _; at most 47 characters): {name!r}")
    return name


def channel(queue: str) -> str:
    """The NOTIFY channel of a queue."""
    return f"nexus_queue_{queue_name(queue)}"


DUE = "greatest(q.vt, CASE WHEN q.enqueued_at < '2100-01-01 00:00:00+00' THEN q.enqueued_at END)"
"""When a message `q` is due: not before it was sent, so that a negative delay has no advantage. A
time at which no message can have been sent is ignored."""

SAME = (
    "(q.enqueued_at > now()"
    " OR greatest(q.enqueued_at, '1970-01-01 00:00:00+00') = {journal}.received_at)"
)
"""Whether a message `q` is the one that a journal row refers to by its number. If the sequence was
reset, another message has that number. `lease` writes this time; if it is in the future, `lease`
may have written any time."""

_WORST = (
    "pg_column_size({row}.message)::bigint"
    " * CASE pg_column_compression({row}.message)"
    " WHEN 'pglz' THEN 88 WHEN 'lz4' THEN 255 ELSE 1 END"
)
WEIGHT = (
    "CASE WHEN pg_column_compression({row}.message) IS NOT NULL AND " + _WORST + " <= 1048576"
    " THEN pg_column_size({row}.message #> '{{}}') ELSE " + _WORST + " END"
)
"""The size of a message when decompressed, or its upper bound, in bytes. The size itself requires
decompressing, which is only done if it takes a millisecond at most."""

LOCK_TIMEOUT = "500ms"
"""How long a statement that ends requests waits for each lock: ours are held for milliseconds."""

SMALL_FIRST = "(weight <= 1048576 OR NOT EXISTS (SELECT FROM seen WHERE weight <= 1048576))"
"""Which due messages are leased together: the small ones, if there are any. They are parsed within
milliseconds, and need not wait for large ones, which may take a second each."""


LeaseKind = Literal["in order", "small first", "chosen", "held"]
"""Which messages `lease.sql` reads: those that are due; the small ones of them first; those of $6
(msg_ids) that are due, small ones first; or the held one $6, $7 (msg_id, read_ct), which is left
unread if $8, since then only the journal can tell whose it is."""

_DUE = {
    "turn": "true",
    "which": "{due} <= now()",
    "order": "{due}",
    "weight": "{weight_q}",
    "opened": "nexus.read_message(f.message, $4)",
}
_LEASE: Mapping[LeaseKind, Mapping[str, str]] = {
    "in order": _DUE,
    "small first": _DUE | {"turn": SMALL_FIRST},
    "chosen": _DUE
    | {
        "turn": SMALL_FIRST,
        "which": "q.msg_id = ANY ($6::bigint[]) AND {due} <= now()",
        "order": "q.msg_id",
    },
    "held": {
        "turn": "true",
        "which": "q.msg_id = $6 AND q.read_ct = $7",
        "order": "q.msg_id",
        "weight": "0",
        "opened": """(
        SELECT m.* FROM nexus.read_message(CASE WHEN NOT $8 THEN f.message END, $4) AS m
        WHERE NOT $8
        UNION ALL
        SELECT NULL, NULL, r.request_id, r.digest, NULL, NULL, NULL, NULL, NULL, NULL
        FROM pgmq.q_{requests} AS q
        LEFT JOIN nexus.requests AS r
             ON r.queue = '{requests}' AND r.msg_id = q.msg_id AND {same_r}
                AND r.state IN ('leased', 'waiting', 'queued')
        WHERE $8 AND q.msg_id = f.msg_id)""",
    },
}


FinishWay = Literal["queue", "direct"]
"""Where `finish.sql` puts results: into the results queue, or directly into job_results, except
those that replace an error."""

_FEW_QUEUED = "d.sent_again_after IS NOT NULL AND (SELECT count FROM notified) >= 0"
"""Which results are queued if the others are stored. The second part depends on no row, so it is
evaluated first and once: all results are notified, whether or not any is queued."""

PARTS = (
    *("published", "attempts", "labels", "headers"),
    *("continued", "released", "letter"),
    *("folded", "sum_key", "counted_latencies", "summed_latencies"),
)
"""Parts of statements, each in its own file. `stored` only belongs to one `FinishWay`."""

COLUMNS = ("msg_id", "vt", "read_ct", "enqueued_at", "last_read_at", "message", "headers")
"""The columns that a queue of PGMQ 1.8 shares with its archive. Other releases have others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """The queues of one service, and how it acknowledges messages."""

    requests: str = "ai_requests"
    results: str = "ai_results"
    dead: str = "ai_requests_dead"
    acknowledge: Literal["archive", "delete"] = "archive"
    fair: bool = False
    """Whether there is an index on `DUE`, which requests are read by. If not: PGMQ's on `vt`."""
    columns: tuple[str, ...] = COLUMNS
    """The columns of requests that are archived: those that the archive shares with the queue."""

    def __post_init__(self) -> None:
        for name in (self.requests, self.results, self.dead):
            queue_name(name)
        if len({self.requests, self.results, self.dead}) != 3:
            raise ValueError("the three queues must have different names")
        if self.acknowledge not in ("archive", "delete"):
            raise ValueError(f"acknowledge is 'archive' or 'delete', not {self.acknowledge!r}")

    @classmethod
    def of(cls, queue: QueueSettings) -> "Queues":
        """The queues in a config."""
        return cls(
            requests=queue.requests,
            results=queue.results,
            dead=queue.dead,
            acknowledge=queue.acknowledge,
        )

    def query(self, name: str, kind: LeaseKind = "in order", way: FinishWay = "queue") -> str:
        """The statement `queries/NAME.sql`, with its parts and this service's names.

        PGMQ derives the names of tables from its queues', and a table cannot be a parameter.
        """
        direct = way == "direct"
        parts = {part: read("parts", part).rstrip() for part in PARTS}
        parts["stored"] = read("parts", "stored").rstrip() + ",\n" if direct else ""
        parts["queued"] = _FEW_QUEUED if direct else "true"
        text = read("queries", name)
        for part, words in {**parts, **_LEASE[kind]}.items():
            text = text.replace(f"{{{part}}}", words)
        return self.named(text)

    def named(self, text: str) -> str:
        """Insert this service's names into `text`."""
        values = {
            "requests": self.requests,
            "results": self.results,
            "dead": self.dead,
            "acknowledge": self.acknowledge,
            "channel": channel(self.requests),
            "columns": ", ".join(self.columns),
            "due": DUE if self.fair else "q.vt",
            "same_h": SAME.format(journal="h"),
            "same_r": SAME.format(journal="r"),
            "same_w": SAME.format(journal="w"),
            "lock_timeout": LOCK_TIMEOUT,
            "weight_d": WEIGHT.format(row="d"),
            "weight_q": WEIGHT.format(row="q"),
        }
        return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], text)


@cache
def read(directory: str, name: str) -> str:
    """The text of one of our SQL files."""
    return files(_PACKAGE).joinpath(directory, f"{name}.sql").read_text(encoding="utf-8")


def numbered_migrations() -> list[tuple[int, str]]:
    """The number and name of each migration, in order."""
    names = (entry.name for entry in files(_PACKAGE).joinpath("migrations").iterdir())
    return sorted(
        (int(name[:4]), name.removesuffix(".sql"))
        for name in names
        if re.fullmatch(r"\d{4}_\w+\.sql", name)
    )
