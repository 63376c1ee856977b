"""The overview: the installation's health."""

from typing import cast

from nexus_actors.dashboard.charts import Series
from nexus_actors.dashboard.visit import View, Visit
from nexus_actors.monitoring.ends import read_ends
from nexus_actors.monitoring.health import verdict
from nexus_actors.monitoring.overview import COUNTED, read_present
from nexus_actors.monitoring.recent import read_recent
from nexus_actors.monitoring.trends import WINDOWS, Window, read_trend


async def show(visit: Visit) -> View:
    """The overview."""
    window = cast("Window", visit.choice("window", tuple(WINDOWS), "hour"))
    present = await read_present(visit.reader, visit.viewer.by)
    ends = await read_ends(visit.reader)
    trend = await read_trend(visit.reader, window)
    recent = await read_recent(visit.reader, window, visit.now)
    ended = trend.requests + recent.requests
    values = {
        "verdict": verdict(present, ends),
        "present": present,
        "paused": {
            (it.subject, it.name)
            for it in present.controls
            if it.action == "pause" and it.subject in ("provider", "queue")
        },
        "trend": trend,
        "recent": recent,
        "ended": ended,
        "failed_share": (trend.failed + recent.failed) / ended if ended else None,
        "window": window,
        "windows": list(WINDOWS),
        "counted": COUNTED,
        "rates": [Series("finished per minute", trend.rates)],
        "latencies": [Series("p50", trend.p50), Series("p95", trend.p95)],
        "backlog": [Series("in the queue", trend.backlog)],
        "due": [Series("overdue", trend.due_seconds)],
        "errors": [Series("failed", trend.error_shares)],
        "costs": [Series("known cost", trend.costs)],
    }
    return View("overview.html", "Overview", values)
