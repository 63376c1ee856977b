"""`nexus audit`: what operators have done."""

from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from nexus_actors.cli.operator_sql import ask
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import note, print_json

_ACTS: Final = """
SELECT *
FROM ((SELECT a.at, a.by, a.role, a.action, a.subject, a.detail::text AS detail, a.number
       FROM nexus.audit AS a ORDER BY a.number DESC LIMIT $1)
      UNION ALL
      (SELECT c.at, c.by, c.role, CASE WHEN c.after IS NULL THEN 'end ' ELSE '' END || c.action,
              concat_ws(' ', c.subject, nullif(c.name, ''), 'on ' || nullif(c.node, '*')),
              jsonb_strip_nulls(jsonb_build_object(
                  'value', coalesce(c.after, c.before) -> 'value',
                  'until', coalesce(c.after, c.before) -> 'until',
                  'why', coalesce(c.after, c.before) -> 'why'))::text,
              c.number
       FROM nexus.control_log AS c ORDER BY c.number DESC LIMIT $1)) AS acts
ORDER BY at DESC, number DESC
LIMIT $1
"""


def audit(
    *,
    limit: Annotated[
        int, Parameter(help="Maximum number of entries.", validator=Number(gte=1, lte=10_000))
    ] = 50,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Show what operators have done, newest first.

    Lists pauses and other settings of nexus.control with their end, orders to nodes, edited dead
    letters, and all actions of the dashboard.

    "by" is who they said they were; "role" is the database role. Times are UTC.

    Example: nexus audit --limit 20
    Exit codes: 0 done; 4 the database cannot be read.
    """
    from nexus_actors.contract.json_text import Parsed, parse

    rows = ask(read_settings(config), _ACTS, limit)
    for row in rows:
        del row["number"]
        found = parse(row["detail"]) if row["detail"] is not None else None
        row["detail"] = found.value if isinstance(found, Parsed) else None
    if json:
        print_json(rows)
    elif not rows:
        note("nobody has done anything")
    else:
        _print(rows)


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
