"""`[[routes]]`: which models serve which requests, in order of preference."""

from collections.abc import Collection, Mapping
from typing import Any, Final, cast

from nexus_actors.contract.request import Complexity
from nexus_actors.contract.tasks import COMPLEXITIES, normalize_task_type
from nexus_actors.settings.mistakes import Notes, nearest, shown
from nexus_actors.settings.model import ModelRef, Route

_KEYS: Final = ("complexity", "task_type", "models")
_WIDTHS: Final = (*COMPLEXITIES, "*")


def read_routes(given: Any, known: Collection[str], notes: Notes) -> tuple[Route, ...]:
    """The routes that have no mistakes. `known`: the names of the providers in the config."""
    if not isinstance(given, list) or not given:
        notes.add("routes", shown(given), "at least one table: [[routes]]")
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
    for key in sorted(item.keys() - set(_KEYS)):
        expected = f"one of {', '.join(_KEYS)}"
        notes.add(f"{path}.{key}", "an unknown setting", expected, nearest(key, _KEYS))
    complexity = item.get("complexity", "*")
    if complexity not in _WIDTHS:
        close = nearest(str(complexity), _WIDTHS)
        notes.add(f"{path}.complexity", shown(complexity), f"one of {', '.join(_WIDTHS)}", close)
    task_type = item.get("task_type", "*")
    if not isinstance(task_type, str) or not task_type.strip():
        notes.add(f"{path}.task_type", shown(task_type), "a task type, or *")
    models = item.get("models")
    if not isinstance(models, list) or not models:
        found = "nothing" if models is None else shown(models)
        notes.add(f"{path}.models", found, "a list of PROVIDER/MODEL, at least one")
        return None
    refs = [_read_ref(f"{path}.models[{i}]", text, known, notes) for i, text in enumerate(models)]
    if len(notes.mistakes) > mistakes:
        return None
    kept = tuple(dict.fromkeys(ref for ref in refs if ref is not None))
    return Route(cast("Complexity", complexity), normalize_task_type(cast("str", task_type)), kept)


def _read_ref(path: str, text: Any, known: Collection[str], notes: Notes) -> ModelRef | None:
    provider, slash, model = text.partition("/") if isinstance(text, str) else ("", "", "")
    if not (provider and slash and model.strip()):
        notes.add(path, shown(text), "PROVIDER/MODEL")
        return None
    if provider not in known:
        found, expected = f'the unknown provider "{provider}"', f"one of {', '.join(known)}"
        notes.add(path, found, expected, nearest(provider, known))
        return None
    return ModelRef(provider, model.strip())
