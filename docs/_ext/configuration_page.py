"""Writes the reference part of docs/configuration.md from the settings' code.

    python docs/_ext/configuration_page.py

The part above the mark is written by hand and stays. A setting's meaning is its attribute
docstring. This stands here, not in the package: it reads source code, which only a checkout has
for sure, and nothing that runs the service needs it.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nexus_actors.providers.http.settings import HttpSettings
from nexus_actors.providers.kinds import kind_names, load_kind
from nexus_actors.providers.port import ModelSettings, ProviderSettings, ServedKind
from nexus_actors.settings.changes import NEEDS_RESTART
from nexus_actors.settings.load import OVERRIDES, parse_settings
from nexus_actors.settings.model import (
    BudgetSettings,
    Route,
    Settings,
    TokenSettings,
)
from nexus_actors.settings.routes import ROUTE_KEYS
from nexus_actors.settings.section import Section
from nexus_actors.settings.suggestions import unit

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "configuration.md"
MARK: Final = "<!-- Generated below by `make docs`: edit the docstrings of the settings. -->\n"


@cache
def meanings(kind: type) -> Mapping[str, str]:
    """The docstring of each attribute of a class, those it inherits too."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if not one.__module__.startswith("nexus_actors."):
            continue
        module = ast.parse(textwrap.dedent(inspect.getsource(one)))
        lines = [line for it in module.body if isinstance(it, ast.ClassDef) for line in it.body]
        for before, after in pairwise(lines):
            if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
                text = _text(after)
                if text is not None:
                    found[before.target.id] = " ".join(text.split())
    return found


def _text(node: ast.stmt) -> str | None:
    value = node.value if isinstance(node, ast.Expr) else None
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return value.value if is_text else None  # type: ignore[union-attr]


def page(before: str) -> str:
    """The whole page: its head as it is in `before`, and all below it anew."""
    head, mark, _ = before.partition(MARK)
    if not mark:
        raise ValueError("docs/configuration.md lacks the line that ends its hand-written part")
    return head + MARK + "\n" + "\n".join(_reference()) + "\n"


def _reference() -> Iterator[str]:
    for name, model in get_type_hints(Settings).items():
        if isinstance(model, type) and issubclass(model, Section):
            yield f"## `[{name}]`"
            yield ""
            yield from _said(model)
            yield from _table(model, model.model_fields, name)
            if name == "dashboard":
                yield "### `[dashboard.tokens.NAME]`"
                yield ""
                yield from _table(TokenSettings, TokenSettings.model_fields, name)
    yield from _budgets()
    yield from _providers()
    yield from _routes()


def _said(model: type) -> Iterator[str]:
    """What a section's docstring says after its name."""
    _, dot, text = " ".join((model.__doc__ or "").split()).partition("`. ")
    if dot:
        yield from textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)
        yield ""


def _budgets() -> Iterator[str]:
    yield "## `[budgets.NAME]`"
    yield ""
    yield "One table for each budget; [Limits and budgets](limits_and_budgets.md) explains them."
    yield ""
    yield from _table(BudgetSettings, BudgetSettings.model_fields, "budgets")


def _providers() -> Iterator[str]:
    found = {name: load_kind(name) for name in kind_names()}
    kinds = {name: kind for name, kind in found.items() if kind is not None}
    over_http = [name for name, kind in kinds.items() if issubclass(kind.settings, HttpSettings)]
    yield "## `[providers.NAME]`"
    yield ""
    yield "One table for each provider."
    yield "[Providers and models](providers_and_models.md) has examples of every kind."
    yield ""
    yield "### Every kind"
    yield ""
    yield from _table(ProviderSettings, ProviderSettings.model_fields, "providers")
    yield f"### Kinds over HTTP: {', '.join(f'`{it}`' for it in over_http)}"
    yield ""
    own = HttpSettings.model_fields.keys() - ProviderSettings.model_fields.keys()
    yield from _table(HttpSettings, _only(HttpSettings, own), "providers")
    for name, kind in kinds.items():
        base = HttpSettings if name in over_http else ProviderSettings
        served = kind.server_settings if isinstance(kind, ServedKind) else frozenset()
        other = {
            field
            for field, info in kind.settings.model_fields.items()
            if field not in base.model_fields
            or info.default != base.model_fields[field].default
            or field in served
        }
        yield f'### `kind = "{name}"`'
        yield ""
        yield from _table(kind.settings, _only(kind.settings, other), "providers", served)
    yield '### `[providers.NAME.models."MODEL"]`'
    yield ""
    yield from _table(ModelSettings, ModelSettings.model_fields, "providers")
    yield "The fields of `takes` are described in [Providers and models](providers_and_models.md)."
    yield ""


def _routes() -> Iterator[str]:
    yield "## `[[routes]]`"
    yield ""
    yield from _said(Route)
    told, types = meanings(Route), get_type_hints(Route)
    usual = _usual_route()
    rows = []
    for name in ROUTE_KEYS:
        default = "required" if name == "models" else _given(getattr(usual, name))
        rows.append((f"`{name}`", _route_value(types[name]), default, "yes", told[name]))
    yield from _rows(rows)


def _usual_route() -> Route:
    """What is read of a route that has nothing but a model."""
    config = {"providers": {"one": {"kind": "echo"}}, "routes": [{"models": ["one/a"]}]}
    settings = parse_settings(config, {})
    if not isinstance(settings, Settings):
        raise TypeError(str(settings))
    return settings.routes[0]


def _given(value: Any) -> str:
    return f"`{json.dumps(value)}`" if value and isinstance(value, str) else ""


def _route_value(kind: Any) -> str:
    """What may stand there, in words."""
    choices = [choice for it in (kind, *get_args(kind)) for choice in _choices(it)]
    if choices:
        return _one_of(choices)
    if get_origin(kind) in (tuple, frozenset):
        counts = get_args(kind)[0] is int
        return "list of whole numbers, 1 or more" if counts else "list of texts"
    return "text"


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _one_of(choices: Iterable[Any]) -> str:
    *most, last = [f"`{it}`" for it in choices]
    return f"{', '.join(most)} or {last}"


def _only(model: type[BaseModel], names: Iterable[str]) -> dict[str, FieldInfo]:
    return {name: it for name, it in model.model_fields.items() if name in set(names)}


def _table(
    model: type[BaseModel],
    shown: Mapping[str, FieldInfo],
    section: str,
    restart: Iterable[str] = (),
) -> Iterator[str]:
    """The table of these fields. `restart`: those that a reload does not change, besides those that
    `settings.changes` knows."""
    schema = model.model_json_schema()["properties"]
    told = meanings(model)
    stays = {*NEEDS_RESTART.get(section, ()), *restart}
    variables = {f"queue.{name}": it for it, (name, _) in OVERRIDES.items()}
    rows = []
    for name, info in shown.items():
        meaning = told[name]
        if (variable := variables.get(f"{section}.{name}")) is not None:
            holds = "milliseconds" if variable.endswith("_MS") else "the value"
            meaning += f" `{variable}` ({holds}) takes precedence."
        rows.append(
            (
                f"`{name}`",
                _value(schema[name], name),
                _default(info),
                "restart" if name in stays else "yes",
                meaning,
            )
        )
    yield from _rows(rows)


def _rows(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| setting | value | default | reload | meaning |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield "| " + " | ".join(it.replace("|", "\\|") for it in row) + " |"
    yield ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default_factory is not None:
        made = info.get_default(call_default_factory=True, validated_data={})
        return "`{}`" if made == {} else "see text"
    if info.default is None:
        return ""
    return f"`{_toml(info.default)}`"


def _toml(value: Any) -> str:
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return json.dumps(value if isinstance(value, bool | int | float) else str(value))


def _value(schema: Mapping[str, Any], name: str) -> str:
    """What may stand there, in words."""
    kinds = [it for it in schema.get("anyOf", [schema]) if it.get("type") != "null"]
    return " or ".join(_kind({**schema, **it}, name) for it in kinds)


def _kind(schema: Mapping[str, Any], name: str) -> str:
    if (expected := schema.get("expected")) is not None and name != "base_url":
        return str(expected)
    if (choices := schema.get("enum")) is not None:
        return _one_of(choices)
    match schema.get("type"):
        case "boolean":
            return "`true` or `false`"
        case "integer" | "number" as kind:
            counted = unit(name)
            words = counted or ("whole number" if kind == "integer" else "number")
            return ", ".join(filter(None, (words, _bounds(schema))))
        case "array":
            return "list of texts"
        case "object" if schema.get("additionalProperties", {}).get("type") == "string":
            return "table of texts"
        case "string":
            return "folder" if schema.get("format") == "path" else "text"
    return "table"


def _bounds(schema: Mapping[str, Any]) -> str:
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    most = schema.get("maximum")
    if most is not None and above is not None:
        return f"above {_number(above)}, at most {_number(most)}"
    if most is not None:
        return f"{_number(least)} to {_number(most)}"
    if above is not None:
        return f"above {_number(above)}"
    return "" if least is None else f"{_number(least)} or more"


def _number(value: float | None) -> str:
    return f"{value or 0:,g}" if abs(value or 0) < 1e6 else f"{value:,.0f}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
