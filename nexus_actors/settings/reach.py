"""Which models can be reached: `[providers.NAME]` and `[[routes]]`, with the keys there are.

The file's providers stand beside the built-in ones; a table named as a built-in provider need give
only what differs. The file's routes replace the built-in ones. A built-in provider that the file
does not mention is dropped if no route names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nexus_actors.contract.tasks import COMPLEXITIES
from nexus_actors.settings import defaults
from nexus_actors.settings.mistakes import Notes
from nexus_actors.settings.model import LeftOut, Provider, Route
from nexus_actors.settings.providers import provider_tables, read_provider
from nexus_actors.settings.routes import read_routes


@dataclass(frozen=True, slots=True)
class Reach:
    """Providers that can be used, those that cannot, and the routes."""

    providers: dict[str, Provider]
    left_out: dict[str, LeftOut]
    routes: tuple[Route, ...]


def read_reach(
    providers: Any,
    routes: Any,
    environ: Mapping[str, str],
    notes: Notes,
    sources: dict[str, str],
) -> Reach:
    """Read both sections (None: absent); mistakes and warnings go into `notes`."""
    tables = provider_tables(providers, notes, sources)
    route_list = read_routes(defaults.ROUTES if routes is None else routes, tables, notes)
    if routes is not None:
        sources["routes"] = "file"
        named = {ref.provider for route in route_list for ref in route.models}
        mentioned = providers if isinstance(providers, Mapping) else {}
        tables = {name: t for name, t in tables.items() if name in mentioned or name in named}
    usable: dict[str, Provider] = {}
    left_out: dict[str, LeftOut] = {}
    for name, table in tables.items():
        match read_provider(name, table, environ, notes):
            case Provider() as provider:
                usable[name] = provider
            case LeftOut() as missing:
                left_out[name] = missing
            case None:
                pass
    reach = Reach(usable, left_out, route_list)
    if notes.mistakes:
        return reach
    if not usable and _is_built_in(tables, route_list):
        return _echo_reach(left_out, environ, notes)
    notes.warnings += [f"provider {name} is left out: {it.why}" for name, it in left_out.items()]
    _check_served(reach, notes)
    _check_coverage(route_list, notes)
    return reach


def _is_built_in(tables: Mapping[str, Mapping[str, Any]], routes: tuple[Route, ...]) -> bool:
    """Whether the config leaves providers and routes as they are, even if it spells them out."""
    silent = Notes(source="built-in")
    if (
        routes != read_routes(defaults.ROUTES, defaults.PROVIDERS, silent)
        or tables.keys() != defaults.PROVIDERS.keys()
    ):
        return False
    some_key = dict.fromkeys((table["api_key_env"] for table in defaults.PROVIDERS.values()), "any")
    return all(
        read_provider(name, table, some_key, silent)
        == read_provider(name, defaults.PROVIDERS[name], some_key, silent)
        for name, table in tables.items()
    )


def _echo_reach(left_out: dict[str, LeftOut], environ: Mapping[str, str], notes: Notes) -> Reach:
    why = ", ".join(dict.fromkeys(it.why.removesuffix(" is not set") for it in left_out.values()))
    notes.warnings.append(
        f"no provider has a key ({why}): {defaults.ECHO} serves every route, "
        "so every answer only repeats its question"
    )
    providers: dict[str, Provider] = {}
    for name, table in defaults.ECHO_PROVIDERS.items():
        match read_provider(name, table, environ, notes):
            case Provider() as provider:
                providers[name] = provider
            case _:
                pass
    return Reach(providers, left_out, read_routes(defaults.ECHO_ROUTES, providers, notes))


def _check_served(reach: Reach, notes: Notes) -> None:
    """Every route must have a model that can be reached."""
    for index, route in enumerate(reach.routes):
        names = dict.fromkeys(ref.provider for ref in route.models)
        if all(name in reach.left_out for name in names):
            reasons = "; ".join(f"{name}: {reach.left_out[name].why}" for name in names)
            notes.add(
                f"routes[{index}].models",
                f"only providers that are left out ({reasons})",
                "at least one model that can be reached",
            )


def _check_coverage(routes: tuple[Route, ...], notes: Notes) -> None:
    """Warn of requests that no route takes, and of routes that no request reaches."""
    seen: dict[tuple[str, str], int] = {}
    for index, route in enumerate(routes):
        key = (route.complexity, route.task_type)
        if route.is_special:
            continue  # it takes some of what another would
        if key in seen:
            notes.warnings.append(
                f"routes[{index}] is never used: routes[{seen[key]}] is for the same requests"
            )
        seen.setdefault(key, index)
    gaps = [name for name in COMPLEXITIES if not {(name, "*"), ("*", "*")} & seen.keys()]
    if gaps:
        notes.warnings.append(
            f"no route takes every task type of complexity {', '.join(gaps)}: "
            "requests that none matches end as model_unavailable"
        )
