"""The desired state, the config of each node, and the audit."""

from typing import Final

from nexus_actors.dashboard.visit import PageError, View, Visit
from nexus_actors.monitoring.audit import NEWEST, PAGE, SCANNED, read_audit
from nexus_actors.monitoring.control import compare, read_configs, read_control, read_providers
from nexus_actors.monitoring.nodes import read_nodes, with_names

_LONGEST_FILTER: Final = 100


async def show(visit: Visit) -> View:
    """The pauses, limits and drains in force, with actions to change them."""
    rows = await read_control(visit.reader)
    configured = [*visit.settings.providers, *visit.settings.left_out]
    values = {
        "rows": rows,
        "providers": await read_providers(visit.reader, configured, rows),
        "nodes": await read_nodes(visit.reader),
        "queue": visit.settings.queue.requests,
    }
    return View("control.html", "Control", values)


async def show_config(visit: Visit) -> View:
    """The settings in force on each node. Each view makes the nodes show them."""
    wanted = _filter(visit, "filter")
    only_different = visit.choice("only", ("different",)) != ""
    configs = await read_configs(visit.reader, await read_nodes(visit.reader), visit.viewer.by)
    values = {
        "configs": configs,
        "settings": compare(configs, wanted, only_different),
        "filter": wanted,
        "only_different": only_different,
    }
    return View("config.html", "Config in force", values)


async def show_audit(visit: Visit) -> View:
    """Who did what, newest first."""
    by, action = _filter(visit, "by"), _filter(visit, "action")
    before = (
        visit.number("control", NEWEST),
        visit.number("acts", NEWEST),
    )
    page = await read_audit(visit.reader, by=by, action=action, before=before)
    values = {
        "page": page,
        "nodes": await read_nodes(visit.reader),
        "with_names": with_names,
        "by": by,
        "action": action,
        "is_first": before == (NEWEST, NEWEST),
        "page_size": PAGE,
        "scanned": SCANNED,
    }
    return View("audit.html", "Audit", values)


def _filter(visit: Visit, name: str) -> str:
    text = visit.text(name)
    if len(text) > _LONGEST_FILTER or "\0" in text:
        raise PageError(
            400, f"{name}: expected {_LONGEST_FILTER} characters at most, none of them NUL"
        )
    return text
