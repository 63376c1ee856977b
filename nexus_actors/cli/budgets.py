"""`nexus budgets`: what is spent and left of each budget."""

from typing import TYPE_CHECKING, Any

from nexus_actors.cli.database import running_database
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import note, print_json
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from nexus_actors.settings import Settings


def budgets(*, config: ConfigPath = None, json: AsJson = False) -> None:
    """Show what is spent, reserved and left of each budget.

    For the current day or month (UTC), with the time when the next one begins. Reserved is what
    running calls may cost at most.

    Example: nexus budgets --json
    """
    settings = read_settings(config)
    if not settings.budgets:
        if json:
            print_json([])
        else:
            note("the config has no budgets: [budgets.NAME]")
        return
    rows = run(_read, running_database(settings), settings)
    if json:
        print_json(rows)
    else:
        _print(rows)


async def _read(url: str, settings: "Settings") -> list[dict[str, Any]]:
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.journal import read_spending

    budgets = settings.budgets
    periods = [budget.per for budget in budgets.values()]
    async with open_postgres(url, pool_size=1) as pool:
        found = await pool.run(read_spending, list(budgets), periods)
    return [_row(settings, row) for row in found]


def _row(settings: "Settings", found: dict[str, Any]) -> dict[str, Any]:
    budget = settings.budgets[found["name"]]
    return {
        "budget": found["name"],
        "agent": budget.agent,
        "provider": budget.provider,
        "per": budget.per,
        "currency": "USD",
        "dollars": budget.dollars,
        "spent": found["spent"],
        "reserved": found["reserved"],
        "left": max(budget.dollars - found["spent"] - found["reserved"], 0.0),
        "renews_at": found["renews_at"],
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    from nexus_actors.cli.ask import dollars
    from nexus_actors.cli.screen import Screen
    from nexus_actors.cli.service_view import fit

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("budget", no_wrap=True)
    table.add_column("counts", no_wrap=True, overflow="ellipsis")
    for name in ("US dollars", "spent", "reserved", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("until", no_wrap=True)
    for row in rows:
        whose = [f"{name} {row[name]}" for name in ("agent", "provider") if row[name]]
        table.add_row(
            row["budget"],
            ", ".join(whose) or "all calls",
            f"{dollars(row['dollars']).removesuffix('.00')} a {row['per']}",
            *(dollars(row[name]) for name in ("spent", "reserved", "left")),
            f"{row['renews_at']:%Y-%m-%d}",
        )
    screen = Screen()
    fit(table, screen)
    screen.print(table)
