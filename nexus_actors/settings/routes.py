"""`[[routes]]`: which models serve which requests, in order of preference."""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast, get_args

from nexus_actors.contract.request import Complexity
from nexus_actors.contract.tasks import COMPLEXITIES, normalize_capabilities, normalize_task_type
from nexus_actors.settings import defaults
from nexus_actors.settings.mistakes import Notes, shown
from nexus_actors.settings.model import ModelRef, Pick, Route
from nexus_actors.settings.suggestions import nearest

ROUTE_KEYS: Final = (
    "complexity",
    "task_type",
    "capabilities",
    "agent",
    "model",
    "models",
    "pick",
    "weights",
)
_PICKS: Final = get_args(Pick)
_WIDTHS: Final = (*COMPLEXITIES, "*")


def read_routes(given: Any, known: Collection[str], notes: Notes) -> tuple[Route, ...]:
    """The routes that have no mistakes but that of a provider who is not among `known`, which is
    noted for `Notes.tell_unknown`.
    """
    if not isinstance(given, list) or not given:
        notes.add("routes", shown(given), "at least one table, in double brackets: [[routes]]")
        return ()
    routes = [
        _read_route(f"routes[{index}]", item, known, notes) for index, item in enumerate(given)
    ]
    return tuple(route for route in routes if route is not None)


def _read_route(path: str, item: Any, known: Collection[str], notes: Notes) -> Route | None:
    if not isinstance(item, Mapping):
        notes.add(path, shown(item), "a table: [[routes]]")
        return None
    mistakes = len(notes.mistakes)
    for key in sorted(item.keys() - set(ROUTE_KEYS)):
        notes.add_unknown_setting(f"{path}.{key}", key, ROUTE_KEYS)
    complexity = item.get("complexity", "*")
    if not isinstance(complexity, str) or complexity not in _WIDTHS:
        many = isinstance(complexity, list)
        every = str(complexity).lower() in ("any", "all", "")
        close = None if many else "*" if every else nearest(str(complexity), _WIDTHS)
        expected = f"one of {', '.join(_WIDTHS)}" + (", and a route for each" if many else "")
        notes.add(f"{path}.complexity", shown(complexity), expected, close)
    task_type = item.get("task_type", "*")
    if not isinstance(task_type, str) or not task_type.strip():
        notes.add(f"{path}.task_type", shown(task_type), "a task type, or *")
    models = item.get("models")
    if not isinstance(models, list) or not models:
        found = "nothing" if models is None else shown(models)
        close = f"[{found}]" if isinstance(models, str) else None
        notes.add(f"{path}.models", found, "a list of PROVIDER/MODEL, at least one", close)
        return None
    refs = [_read_ref(f"{path}.models[{i}]", text, known, notes) for i, text in enumerate(models)]
    _check_conditions(path, item, notes)
    _check_pick(path, item, len(models), notes)
    if item.get("model") is None and any(ref and ref.model == "*" for ref in refs):
        notes.add(f"{path}.models", "a model *", "models by name, or a model = to stand for")
    if len(notes.mistakes) > mistakes:
        return None
    kept = tuple(dict.fromkeys(ref for ref in refs if ref is not None))
    return Route(
        cast("Complexity", complexity),
        normalize_task_type(cast("str", task_type)),
        kept,
        capabilities=frozenset(normalize_capabilities(item.get("capabilities", []))),
        agent=item.get("agent"),
        model=item.get("model"),
        pick=item.get("pick", "ordered"),
        weights=_weights(kept, refs, item.get("weights", ())),
    )


def _weights(
    kept: Sequence[ModelRef], refs: Sequence[ModelRef | None], weights: Sequence[int]
) -> tuple[int, ...]:
    """Those of a model that stands there twice are added up."""
    total: Counter[ModelRef | None] = Counter()
    for ref, weight in zip(refs, weights, strict=False):
        total[ref] += weight
    return tuple(total[ref] for ref in kept) if weights else ()


def _check_conditions(path: str, item: Mapping[str, Any], notes: Notes) -> None:
    words = item.get("capabilities", [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        close = f"[{shown(words)}]" if isinstance(words, str) else None
        notes.add(f"{path}.capabilities", shown(words), "a list of words", close)
    for key in ("agent", "model"):
        glob = item.get(key, "*")
        if not isinstance(glob, str) or not glob.strip():
            close = "models" if key == "model" and isinstance(glob, list) else None
            notes.add(f"{path}.{key}", shown(glob), "a name, in which * stands for anything", close)


def _check_pick(path: str, item: Mapping[str, Any], models: int, notes: Notes) -> None:
    pick, weights = item.get("pick", "ordered"), item.get("weights")
    if pick not in _PICKS:
        close = nearest(str(pick), _PICKS)
        notes.add(f"{path}.pick", shown(pick), f"one of {', '.join(_PICKS)}", close)
        return
    whole = isinstance(weights, list) and all(type(w) is int and w > 0 for w in weights)
    if pick == "weighted" and not (whole and len(weights or ()) == models):
        found = "nothing" if weights is None else json.dumps(weights, default=str)[:60]
        expected = f"a whole number above 0 for each of the models, {models} in all"
        notes.add(f"{path}.weights", found, expected)
    elif pick != "weighted" and weights is not None:
        found = f"weights, though the route's pick is {shown(pick)}"
        notes.add(f"{path}.weights", found, 'pick = "weighted" beside them, or no weights')


def _read_ref(path: str, text: Any, known: Collection[str], notes: Notes) -> ModelRef | None:
    provider, slash, model = text.partition("/") if isinstance(text, str) else ("", "", "")
    if not (provider and slash and model.strip()):
        close = _full_name(text, known) if isinstance(text, str) else None
        notes.add(path, shown(text), "PROVIDER/MODEL", close)
        return None
    if re.search(r"[,;]\s*\S+/", model):
        notes.add(path, "several models in one text", 'each in quotes of its own: ["A/B", "C/D"]')
        return None
    if provider not in known:
        notes.add_unknown(provider, path)
    return ModelRef(provider, model.strip())


def _full_name(model: str, known: Collection[str]) -> str | None:
    """That of a model of the built-in routes, or with another sign than / in it."""
    provider, sign, rest = (
        it.strip() for it in re.sub(r"[:.\\ ]", "\0", model, count=1).partition("\0")
    )
    if sign and rest and provider in known:
        return f"{provider}/{rest}"
    names = (name for route in defaults.ROUTES for name in route["models"])
    return next((name for name in names if name.partition("/")[2] == model.strip()), None)
