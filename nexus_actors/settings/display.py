"""Settings for eyes: everything that is configured, nothing that is secret."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import SecretStr

from nexus_actors.settings.mistakes import is_secret_name, mask_url
from nexus_actors.settings.model import Provider, Route, Settings

_MASK: Final = "***"
_OF_TABLES: Final = ("providers", "budgets")
_NOT_SECRET: Final = frozenset({"api_key_env", "api_key_file", "key_rest_seconds"})


def masked(settings: Settings) -> dict[str, Any]:
    """The settings in the shape of the config file, of plain JSON types, every secret masked.

    Beyond the file's names: `providers.NAME.api_key` (`set`, `none`, or how many), `left_out` (name
    → why), `file` and `sources` (dotted path → where its value came from; a default otherwise).
    """
    return {
        "service": _mask(settings.service.model_dump(mode="json")),
        "database": {
            **settings.database.model_dump(mode="json"),
            "url": mask_url(settings.database.url.get_secret_value()),
        },
        "queue": settings.queue.model_dump(mode="json"),
        "result_poller": settings.result_poller.model_dump(mode="json"),
        "admin": settings.admin.model_dump(mode="json"),
        "dashboard": {
            **settings.dashboard.model_dump(mode="json"),
            "url": mask_url(settings.dashboard.url.get_secret_value()),
        },
        "supervision": settings.supervision.model_dump(mode="json"),
        "security": settings.security.model_dump(mode="json"),
        "requests": settings.requests.model_dump(mode="json"),
        "retention": settings.retention.model_dump(mode="json"),
        "tracing": settings.tracing.model_dump(mode="json"),
        "budgets": {name: it.model_dump(mode="json") for name, it in settings.budgets.items()},
        "providers": {name: _provider(it) for name, it in settings.providers.items()},
        "routes": [_route(route) for route in settings.routes],
        "left_out": {name: it.why for name, it in settings.left_out.items()},
        "file": None if settings.file is None else str(settings.file),
        "sources": dict(settings.sources),
    }


def listed(settings: Settings) -> dict[str, Any]:
    """The same, one value after another: `file`, `values` (each with its dotted `path`, its `value`
    and its `source`), `left_out` and `warnings`.
    """
    shown = masked(settings)
    sources, file, left_out = (shown.pop(name) for name in ("sources", "file", "left_out"))
    return {
        "file": file,
        "values": [
            {"path": path, "value": value, "source": sources.get(path, "default")}
            for path, value in _flat(shown)
        ],
        "left_out": left_out,
        "warnings": list(settings.warnings),
    }


def _flat(shown: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of sections, and of the tables in those two that hold some."""
    for section, table in shown.items():
        if not isinstance(table, Mapping):
            yield section, table
            continue
        for name, value in table.items():
            if section in _OF_TABLES:
                yield from ((f"{section}.{name}.{key}", it) for key, it in value.items())
            else:
                yield f"{section}.{name}", value


def _provider(provider: Provider) -> dict[str, Any]:
    shown: dict[str, Any] = _mask(provider.settings.model_dump(mode="json"))
    return {**shown, "api_key": _keys(provider)}


def _keys(provider: Provider) -> str:
    count = len(provider.api_keys)
    return "none" if count == 0 else "set" if count == 1 else f"{count} set"


def _route(route: Route) -> dict[str, Any]:
    return {
        "complexity": route.complexity,
        "task_type": route.task_type,
        "models": [str(ref) for ref in route.models],
        **({"capabilities": sorted(route.capabilities)} if route.capabilities else {}),
        **({"agent": route.agent} if route.agent is not None else {}),
        **({"model": route.model} if route.model is not None else {}),
        **({"pick": route.pick} if route.pick != "ordered" else {}),
        **({"weights": list(route.weights)} if route.weights else {}),
    }


def _mask(value: Any, name: str = "") -> Any:
    """Mask what is secret by its key's name, and the password of anything that looks like a URL."""
    if is_secret_name(name) and name not in _NOT_SECRET and value not in (None, "", {}, []):
        return _MASK
    match value:
        case Mapping():
            return {key: _mask(item, str(key)) for key, item in value.items()}
        case list() | tuple():
            return [_mask(item) for item in value]
        case SecretStr():
            return _MASK
        case str() if "://" in value:
            return mask_url(value)
        case _:
            return value
