"""`nexus models`: what the config reaches."""

from typing import TYPE_CHECKING, Any

from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import print_json

if TYPE_CHECKING:
    from nexus_actors.settings import Settings


def models(*, config: ConfigPath = None, json: AsJson = False) -> None:
    """List the models that the configuration reaches, with their windows and prices.

    Prices are US dollars per million tokens, at a model's first tier; - is what nobody knows.
    """
    rows = _rows(read_settings(config))
    if json:
        print_json(rows)
        return
    from rich import box
    from rich.table import Table

    from nexus_actors.cli.screen import Screen

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for name in ("window", "answer", "input", "cached", "output"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["model"],
            _count(row["context_window"]),
            _count(row["max_output_tokens"]),
            *(dollars(row[f"{name}_price"]) for name in ("input", "cached_input", "output")),
        )
    Screen().print(table)


def _rows(settings: "Settings") -> list[dict[str, Any]]:
    from dataclasses import asdict

    from nexus_actors.routing import Routes

    routes = Routes(settings)
    return [{"model": str(ref), **asdict(routes.catalog.facts(ref))} for ref in routes.models()]


def _count(tokens: int | None) -> str:
    return "-" if tokens is None else f"{tokens:,}"


def dollars(price: float | None) -> str:
    """A price for eyes."""
    return "-" if price is None else f"${price:.4f}".rstrip("0").ljust(len("$0.00"), "0")
