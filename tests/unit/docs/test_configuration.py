"""docs/configuration.md and the settings say the same."""

import importlib.util
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from nexus_actors.providers.kinds import kind_names, load_kind
from nexus_actors.settings import Settings, SettingsErrors, parse_settings
from nexus_actors.settings.changes import NEEDS_RESTART
from nexus_actors.settings.load import OVERRIDES
from nexus_actors.settings.model import Route
from nexus_actors.settings.routes import ROUTE_KEYS
from nexus_actors.settings.section import Section

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "configuration.md").read_text()


def generator() -> ModuleType:
    file = ROOT / "docs" / "_ext" / "configuration_page.py"
    spec = importlib.util.spec_from_file_location("configuration_page", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of each setting below a heading."""
    (part,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.M | re.S)
    cells = [line.strip("| ").split(" | ") for line in part.splitlines() if line[:3] == "| `"]
    return {it[0].strip("`"): it for it in cells}


def test_the_page_is_as_the_code_makes_it() -> None:
    assert generator().page(PAGE) == PAGE, "make docs writes it anew"


def test_what_is_written_by_hand_stays() -> None:
    mark = generator().MARK
    made = generator().page(f"# Ours\n{mark}\nlost\n")
    assert made.startswith(f"# Ours\n{mark}")
    assert "lost" not in made
    with pytest.raises(ValueError, match="hand-written"):
        generator().page("# Nothing to be seen\n")


def test_every_section_has_all_its_settings() -> None:
    sections = {
        name: kind
        for name, kind in get_type_hints(Settings).items()
        if isinstance(kind, type) and issubclass(kind, Section)
    }
    assert len(sections) > 10
    for name, kind in sections.items():
        assert rows(f"`[{name}]`").keys() == kind.model_fields.keys()


def test_every_setting_of_every_kind_of_provider_is_there() -> None:
    for name in kind_names():
        kind = load_kind(name)
        assert kind is not None
        told = rows("Every kind").keys() | rows(f'`kind = "{name}"`').keys()
        if "base_url" in kind.settings.model_fields:
            (heading,) = re.findall(r"^### (Kinds over HTTP: .*)$", PAGE, re.M)
            assert f"`{name}`" in heading
            told |= rows(heading).keys()
        assert told >= kind.settings.model_fields.keys()


def test_what_a_reload_does_not_change_is_marked() -> None:
    for section, names in NEEDS_RESTART.items():
        told = rows(f"`[{section}]`")
        assert {name for name, cells in told.items() if cells[3] == "restart"} == set(names)


@pytest.mark.parametrize("variable", OVERRIDES)
def test_variables_that_take_precedence_are_named_where_they_count(variable: str) -> None:
    assert f"`{variable}`" in rows("`[queue]`")[OVERRIDES[variable][0]][4]


ROUTE: Mapping[str, Any] = {"models": ["one/a"]}
ELSE: Mapping[str, Mapping[str, Any]] = {
    "model": {"models": ["one/*"]},
    "weights": {"pick": "weighted"},
}
"""What a route needs beside these settings."""


def read_route(**given: Any) -> Route | None:
    """The route with these settings as the parser reads it; None if it refuses it."""
    table = {name: value for name, value in {**ROUTE, **given}.items() if value is not None}
    settings = parse_settings({"providers": {"one": {"kind": "echo"}}, "routes": [table]}, {})
    return settings.routes[0] if isinstance(settings, Settings) else None


def is_accepted(name: str, value: Any) -> bool:
    beside = {**ELSE.get(name, {}), **({"weights": [1]} if value == "weighted" else {})}
    return read_route(**{**beside, name: value}) is not None


@pytest.mark.parametrize("name", ROUTE_KEYS)
def test_a_route_takes_the_values_that_are_reported_and_no_others(name: str) -> None:
    _, told, default, *_ = rows("`[[routes]]`")[name]
    choices = re.findall(r"`([^`]+)`", told)
    texts = ["one/a"] if name == "models" else ["some"]
    right: list[Any]
    match told:
        case "text":
            right, wrong = texts, [texts, 1, ""]
        case "list of texts":
            right, wrong = [texts], [texts[0], [1], 1]
        case "list of whole numbers, 1 or more":
            right, wrong = [[1], [7]], [[0], [1.5], ["1"], 1]
        case _:
            right, wrong = choices, ["some", choices, 1]
            errors = parse_settings({"routes": [{**ROUTE, name: "some"}]}, {})
            expected = f"one of {', '.join(choices)}"
            assert isinstance(errors, SettingsErrors)
            assert expected in {it.expected for it in errors.mistakes}, "all of them are told"
    assert [it for it in right if not is_accepted(name, it)] == []
    assert [it for it in wrong if is_accepted(name, it)] == []
    without = read_route(**{name: None})
    assert (without is None) == (default == "required")
    if default not in ("required", ""):
        assert without == read_route(**{name: tomllib.loads(f"it = {default.strip('`')}")["it"]})
    elif without is not None:
        assert not getattr(without, name), "it has a default"


def test_settings_in_the_same_unit_say_so() -> None:
    """Their meaning names the unit that stands in the column before it."""
    told = rows('`[providers.NAME.models."MODEL"]`')
    prices = {name: cells for name, cells in told.items() if name.endswith("_price")}
    assert len(prices) == 3
    for cells in prices.values():
        assert cells[1].startswith("US dollars")
        assert cells[4].startswith("US dollars per million")
    for name in ("context_window", "max_output_tokens"):
        assert told[name][1].startswith("tokens")
        assert "tokens" in told[name][4]


def test_defaults_are_those_of_a_service_without_a_config() -> None:
    settings = parse_settings({}, {})
    assert isinstance(settings, Settings)
    assert rows("`[queue]`")["batch_size"][2] == f"`{settings.queue.batch_size}`"
    assert rows("`[database]`")["wait"][2] == f"`{settings.database.wait}`"
