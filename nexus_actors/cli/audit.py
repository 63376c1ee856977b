"""`nexus audit`: what operators have done."""

from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from nexus_actors.cli.operator_sql import ask
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import note, print_json


def audit(
    *,
    limit: Annotated[
        int, Parameter(help="Maximum number of entries.", validator=Number(gte=1, lte=10_000))
    ] = 50,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show what operators have done, newest first.

    Lists pauses and other settings of nexus.control with their end, orders to nodes, dead letters
    that were edited, sent again or deleted, and all actions of the dashboard.

    "refused" marks an order that was not carried out. Of one to the service here it is an entry of
    its own; of one to another node it is known for 30 days.

    "by" is who they said they were; "role" is the database role. Times are UTC.

    Example: nexus audit --limit 20
    Exit codes: 0 done; 4 the database cannot be read.
    """
    from nexus_actors.monitoring.audit import NEWEST, WHOLE
    from nexus_actors.monitoring.reading import statement

    found = ask(
        read_settings(config), statement("audit"), NEWEST, NEWEST, "", "", limit, limit, WHOLE
    )
    entries = [it for it in found if it["number"] is not None]
    entries.sort(key=lambda it: (it["at"], it["number"]), reverse=True)
    rows = [_shown(it) for it in entries[:limit]]
    if json:
        print_json(rows)
    elif not rows:
        note("nobody has done anything")
    else:
        _print(rows)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    from nexus_actors.contract.json_text import Parsed, parse

    found = parse(row["detail"]) if row["detail"] is not None else None
    detail = found.value if isinstance(found, Parsed) else None
    action = f"end {row['action']}" if row["change"] == "end" else row["action"]
    if row["refused"] is not None:
        action += " refused"
        detail = {**(detail or {}), "refused": row["refused"]}
    return {
        "at": row["at"],
        "by": row["by"],
        "role": row["role"],
        "action": action,
        "subject": row["subject"],
        "detail": detail,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    from nexus_actors.cli.screen import Screen, one_line
    from nexus_actors.contract.shown_text import json_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("at", "by", "role", "did", "to", "how"):
        table.add_column(name, overflow="fold")
    for row in rows:
        told = [row["by"], row["role"], row["action"], row["subject"]]
        how = json_text(row["detail"]) if row["detail"] else "-"
        table.add_row(f"{row['at']:%Y-%m-%d %H:%M:%S}", *map(one_line, told), one_line(how))
    Screen().print(table)
