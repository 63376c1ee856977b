"""Which models can be reached: `[providers.NAME]` and `[[routes]]`, with the keys there are.

The file's providers stand beside the built-in ones; a table named as a built-in provider need give
only what differs. The file's routes replace the built-in ones. A built-in provider that the file
does not mention is dropped if no route names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.tasks import CAPABILITIES, COMPLEXITIES
from nexus_actors.settings import defaults
from nexus_actors.settings.mistakes import Mistake, Notes, also, is_secret_name, shown
from nexus_actors.settings.model import LeftOut, Provider, Route
from nexus_actors.settings.providers import provider_tables, read_provider
from nexus_actors.settings.routes import read_routes
from nexus_actors.settings.suggestions import nearest

NO_KEY: Final = "no provider has a key"
"""The source of the route to `echo`, which stands in for the file's, or the built-in ones."""


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
    tables = provider_tables(providers, environ, notes, sources)
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
    # Before the mistakes: another section's must not make routes wrong that echo would serve.
    if not usable and _is_built_in(tables, route_list):
        _refuse_wrong_keys(left_out, environ, notes)
        sources["routes"] = NO_KEY
        return _echo_reach(left_out, environ, notes)
    if notes.mistakes or notes.unknown:
        if routes is not None:  # what they reach is wrong whatever else is
            _check_served(reach, False, environ, notes)
        return reach
    if left_out:
        notes.warnings.append(left_out_warning(left_out))
    _check_served(reach, routes is None, environ, notes)
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


def _refuse_wrong_keys(
    left_out: Mapping[str, LeftOut], environ: Mapping[str, str], notes: Notes
) -> None:
    """Who gave a key wants an answer: `echo`'s would be a success that is none."""
    for name, problem in dict.fromkeys(key for it in left_out.values() for key in it.wrong_keys):
        source = "environment" if name in environ else notes.source
        expected = "a provider's key, or the variable unset"
        notes.mistakes.append(
            Mistake(path=name, found=f"a value that {problem}", expected=expected, source=source)
        )


def echo_warning(left_out: Mapping[str, LeftOut]) -> str:
    """That `echo` stands in for the providers, since none of them has a key."""
    why = ", ".join(dict.fromkeys(it.why.removesuffix(" is not set") for it in left_out.values()))
    return (
        f"{NO_KEY} ({why}): {defaults.ECHO} serves every route, "
        "so every answer only repeats its question"
    )


def left_out_warning(left_out: Mapping[str, LeftOut]) -> str:
    """One warning for all of them: several providers may lack the same key."""
    which, verb = ("providers", "are") if len(left_out) > 1 else ("provider", "is")
    why = "; ".join(dict.fromkeys(it.why for it in left_out.values()))
    return f"{which} {', '.join(left_out)} {verb} left out: {why}"


def _echo_reach(left_out: dict[str, LeftOut], environ: Mapping[str, str], notes: Notes) -> Reach:
    notes.warnings.append(echo_warning(left_out))
    providers: dict[str, Provider] = {}
    for name, table in defaults.ECHO_PROVIDERS.items():
        match read_provider(name, table, environ, notes):
            case Provider() as provider:
                providers[name] = provider
            case _:
                pass
    return Reach(providers, left_out, read_routes(defaults.ECHO_ROUTES, providers, notes))


def _check_served(reach: Reach, built_in: bool, environ: Mapping[str, str], notes: Notes) -> None:
    """Every route must have a model that can be reached. What several lack is reported once."""
    lacking: list[tuple[set[str], list[str]]] = []
    """Providers, and the routes that reach only some of them."""
    for index, route in enumerate(reach.routes):
        names = {ref.provider for ref in route.models}
        if not names <= reach.left_out.keys():
            continue
        paths = [f"routes[{index}].models"]
        apart = []
        for others, of_others in lacking:
            if names & others:
                names, paths = names | others, [*of_others, *paths]
            else:
                apart.append((others, of_others))
        lacking = [*apart, (names, paths)]
    for names, paths in lacking:
        out = [it for name, it in reach.left_out.items() if name in names]
        reasons = "; ".join(f"{it.name}: {it.why}" for it in out)
        close = next(filter(None, (_meant(it, environ) for it in out)), None)
        found = f"only providers that are left out ({reasons})"
        if built_in:
            found = f"none in the file, and in the built-in ones {found}"
            expected = "a key for one of them, or [[routes]] of your own to other providers"
            notes.add("routes", found, expected, close)
        else:
            expected = "at least one model that can be reached"
            if not reach.providers:
                expected += "; echo stands in only for the built-in providers and routes"
            notes.add(paths[0], found + also(paths[1:]), expected, close)


def _meant(left_out: LeftOut, environ: Mapping[str, str]) -> str | None:
    """The variable that is set and is called nearly as the one that is not."""
    name, _, rest = left_out.why.partition(" ")
    set_ones = [it for it, text in environ.items() if text.strip() and is_secret_name(it)]
    return nearest(name, set_ones, cutoff=0.75) if rest == "is not set" else None


def _check_coverage(routes: tuple[Route, ...], notes: Notes) -> None:
    """Warn of requests that no route takes, and of routes that no request reaches."""
    seen: dict[tuple[object, ...], int] = {}
    for index, route in enumerate(routes):
        key: tuple[object, ...] = (route.complexity, route.task_type)
        if route.is_special:  # it takes some of what another would
            key += (route.capabilities, route.agent, route.model)
        _check_words(index, route, notes)
        if key in seen:
            notes.warnings.append(
                f"routes[{index}] is never used: routes[{seen[key]}] is for the same requests"
            )
        seen.setdefault(key, index)
    if (gap := gap_warning(routes)) is not None:
        notes.warnings.append(gap)


def gap_warning(routes: tuple[Route, ...]) -> str | None:
    """Which requests no route takes; None where each is taken."""
    taken = {(it.complexity, it.task_type) for it in routes if not it.is_special}
    gaps = [name for name in COMPLEXITIES if not {(name, "*"), ("*", "*")} & taken]
    if not gaps:
        return None
    return (
        f"no route takes every task type of complexity {', '.join(gaps)}: "
        "requests that none matches end as model_unavailable"
    )


def _check_words(index: int, route: Route, notes: Notes) -> None:
    """Any word may stand for a capability, and so for one that is misspelt."""
    for word in sorted(route.capabilities - set(CAPABILITIES)):
        if (close := nearest(word, CAPABILITIES, cutoff=0.75)) is not None:
            path = f"routes[{index}].capabilities"
            notes.warnings.append(f"{path}: {shown(word)} is unusual; did you mean {close}?")
