"""`nexus models [forget]`: capabilities and prices of models, and what was learned about them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from nexus_actors.cli import exit_codes
from nexus_actors.cli.database import open_database, running_database
from nexus_actors.cli.options import AsJson, ConfigPath, read_settings
from nexus_actors.cli.report import CommandError, complain, note, print_json, say
from nexus_actors.cli.running import run

if TYPE_CHECKING:
    from rich.table import Table

    from nexus_actors.providers.takes import Takes
    from nexus_actors.settings import Settings
    from nexus_actors.storage.postgres.quirk_store import LearntQuirk

PATIENCE = 5.0
"""Seconds that the list waits for the database."""
models = App(name="models", help="The models that can be reached.", help_format="plaintext")


@models.default
def list_(*, config: ConfigPath = None, json: AsJson = False) -> None:
    """List the models that the config can reach, with windows, prices and capabilities.

    Also lists what was learned about each model: fields that it refused and that are left out of
    requests for a day.

    Prices are US dollars per million tokens, at a model's first tier; - means unknown. What was
    learned is in the database; without a database the rest is shown.

    Example: nexus models --json
    """
    settings = read_settings(config)
    learnt = _learnt(settings)
    rows = _rows(settings, None if isinstance(learnt, str) else learnt)
    if json:
        print_json([row.as_json() for row in rows])
    else:
        _print(rows)
    if isinstance(learnt, str):
        complain(f"what was learnt of the models is not shown: {learnt}")


@models.command
def forget(
    model: Annotated[
        str | None, Parameter(name="PROVIDER/MODEL", help="As shown in the list.")
    ] = None,
    field: Annotated[
        str | None, Parameter(name="FIELD", help="One field, such as temperature.")
    ] = None,
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="For all models.")] = False,
    config: ConfigPath = None,
    json: AsJson = False,
) -> None:
    """Forget what was learned about a model, or about all: the next request asks the provider
    again.

    Running services forget it at once.

    Example: nexus models forget openai/gpt-5.2 temperature
    """
    if (model is None) != all_:
        raise CommandError("name a model, or say --all for all of them", exit_codes.USAGE)
    provider, slash, name = (model or "").partition("/")
    if model is not None and not (provider and slash and name):
        raise CommandError(f"expected PROVIDER/MODEL, not {model!r}", exit_codes.USAGE)
    settings = read_settings(config)
    gone = run(_forget, settings, provider or None, name or None, field)
    if json:
        print_json({"forgotten": gone})
    elif gone:
        note(f"forgotten: {gone}")
    else:
        what = " of ".join(filter(None, (field, model)))
        note(f"nothing was learnt{f' of {what}' if what else ''}")


async def _forget(
    settings: "Settings", provider: str | None, model: str | None, field: str | None
) -> int:
    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.quirk_store import forget_quirks

    async with open_database(settings) as url, open_postgres(url, pool_size=1) as pool:
        return await pool.run(forget_quirks, provider, model, field)


@dataclass(frozen=True, slots=True)
class _Row:
    model: str
    facts: Mapping[str, Any]
    """Context window and prices."""
    takes: "Takes"
    learnt: "Sequence[LearntQuirk] | None"
    """None if the database could not be read."""

    def as_json(self) -> dict[str, Any]:
        learnt = None
        if self.learnt is not None:
            learnt = [
                {
                    "field": it.field,
                    "effort": it.effort or None,
                    "reason": it.reason,
                    "learnt_at": it.learnt_at,
                    "age_seconds": round(it.age),
                }
                for it in self.learnt
            ]
        takes = self.takes.model_dump(mode="json")
        return {"model": self.model, **self.facts, "takes": takes, "learnt": learnt}


def _rows(settings: "Settings", learnt: "Sequence[LearntQuirk] | None") -> list[_Row]:
    """The models of the routes, then others of our providers with something learned."""
    from dataclasses import asdict

    from nexus_actors.routing import Routes
    from nexus_actors.settings import ModelRef

    routes = Routes(settings)
    catalog = routes.catalog
    refs = dict.fromkeys(routes.models())
    found = sorted({ModelRef(it.provider, it.model) for it in learnt or ()})
    refs |= dict.fromkeys(ref for ref in found if ref.provider in settings.providers)
    return [
        _Row(
            str(ref),
            asdict(catalog.facts(ref)),
            catalog.takes(ref),
            None
            if learnt is None
            else [it for it in learnt if (it.provider, it.model) == (ref.provider, ref.model)],
        )
        for ref in refs
    ]


def _learnt(settings: "Settings") -> "list[LearntQuirk] | str":
    """What was learned, from the database; or why that could not be read."""
    import trio

    from nexus_actors.storage.errors import StorageError

    try:
        return run(_read, running_database(settings))
    except (CommandError, StorageError) as error:
        return str(error)
    except trio.TooSlowError:
        return "the database does not answer"


async def _read(url: str) -> "list[LearntQuirk]":
    import trio

    from nexus_actors.storage.postgres.connection import open_postgres
    from nexus_actors.storage.postgres.quirk_store import list_quirks

    with trio.fail_after(PATIENCE):
        async with open_postgres(url, pool_size=1) as pool:
            return await pool.run(list_quirks)


def _print(rows: Sequence[_Row]) -> None:
    from nexus_actors.cli.screen import Screen
    from nexus_actors.cli.service_view import fit

    screen = Screen()
    for table in (_prices(rows), _abilities(rows)):
        fit(table, screen)
        screen.print(table)
    for row in rows:
        for it in row.learnt or ():
            where = f"{row.model} {it.field}" + (f" at effort {it.effort}" if it.effort else "")
            say(f"learnt  {where}: {it.reason}, {_age(it.age)} ago")


def _prices(rows: Sequence[_Row]) -> "Table":
    table = _table("window", "answer", "input", "cached", "output", justify="right")
    for row in rows:
        facts = row.facts
        table.add_row(
            row.model,
            _count(facts["context_window"]),
            _count(facts["max_output_tokens"]),
            *(dollars(facts[f"{name}_price"]) for name in ("input", "cached_input", "output")),
        )
    return table


def _abilities(rows: Sequence[_Row]) -> "Table":
    """The capabilities that matter most to operators. `--json` has all of them."""
    table = _table("samplers", "efforts")
    table.add_column("does not take", overflow="fold")
    for row in rows:
        missing = ", ".join(_missing(row.takes)) or "-"
        table.add_row(row.model, row.takes.samplers, _efforts(row.takes.efforts), missing)
    return table


def _missing(takes: "Takes") -> Iterator[str]:
    """Missing capabilities that change the question or exclude the model."""
    if not takes.tool_choice:
        yield "tool choice"
    elif not takes.forced_tool_choice:
        yield "forced tool choice"
    for name in ("prefill", "stop", "images", "files", "audio"):
        if not getattr(takes, name):
            yield name
    if "json_schema" not in takes.outputs:
        yield "json_schema"


def _table(*columns: str, justify: Literal["left", "right"] = "left") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for name in columns:
        table.add_column(name, justify=justify, no_wrap=True)
    return table


def _efforts(taken: Sequence[str]) -> str:
    """Join adjacent efforts: `none, low-high`."""
    from itertools import groupby

    from nexus_actors.providers.takes import EFFORTS

    if tuple(taken) == EFFORTS:
        return "all"
    places = [place for place, effort in enumerate(EFFORTS) if effort in taken]
    words = []
    for _, numbered in groupby(enumerate(places), lambda it: it[1] - it[0]):
        row = [EFFORTS[place] for _, place in numbered]
        words.append(row[0] if len(row) == 1 else f"{row[0]}-{row[-1]}")
    return ", ".join(words) or "-"


def _age(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _count(tokens: int | None) -> str:
    return "-" if tokens is None else f"{tokens:,}"


def dollars(price: float | None) -> str:
    """A price for display."""
    if price is None:
        return "-"
    text = f"${price:.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")
