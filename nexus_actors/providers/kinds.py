"""Which kinds of provider there are: the modules of this folder that export `PROVIDER`.

A kind is imported when a config asks for it, so one whose library is heavy costs nobody else.
"""

import importlib
import pkgutil
from functools import cache

import nexus_actors.providers as _folder
from nexus_actors.providers.port import ProviderKind, ServedKind


@cache
def load_kind(name: str) -> ProviderKind | ServedKind | None:
    """The kind of this name, imported on demand; None if there is none."""
    if name not in _module_names():
        return None
    module = importlib.import_module(f"{_folder.__name__}.{name}")
    kind: ProviderKind | ServedKind | None = getattr(module, "PROVIDER", None)
    return kind


def kind_names() -> tuple[str, ...]:
    """Every kind there is, sorted. Imports them all, so it is for messages and listings only."""
    return tuple(name for name in sorted(_module_names()) if load_kind(name) is not None)


@cache
def _module_names() -> frozenset[str]:
    names = (module.name for module in pkgutil.iter_modules(_folder.__path__))
    return frozenset(name for name in names if not name.startswith("_"))
