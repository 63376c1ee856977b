"""`[budgets.NAME]`: what may be spent."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import ValidationError

from nexus_actors.settings.mistakes import Notes, add_validation_errors, shown, to_json
from nexus_actors.settings.model import BudgetSettings

_PRICE: Final = "count_as_dollars_per_million"
_KEYS: Final = frozenset(BudgetSettings.model_fields)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def read_budgets(given: Any, providers: Collection[str], notes: Notes) -> dict[str, BudgetSettings]:
    """The budgets that have no mistakes. `providers`: the names there are."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        notes.add("budgets", shown(given), "tables: [budgets.NAME]")
        return {}
    budgets = {}
    loose = [name for name, it in given.items() if name in _KEYS and not isinstance(it, Mapping)]
    if loose:
        found = f"settings right below [budgets]: {', '.join(loose)}"
        notes.add("budgets", found, "them below a name: [budgets.NAME]")
    for name, table in given.items():
        if name in loose:
            continue
        path = f"budgets.{name}"
        if not isinstance(table, Mapping) or not _NAME.fullmatch(name):
            expected = "a table [budgets.NAME], its name of lower-case letters, digits, - or _"
            notes.add(path, shown(name if isinstance(table, Mapping) else table), expected)
            continue
        mistakes = len(notes.mistakes)
        _check_price(table, path, notes)
        try:
            budget = BudgetSettings.model_validate_json(to_json(table))
        except ValidationError as error:
            add_validation_errors(notes, error, BudgetSettings, path)
            continue
        if budget.provider is not None and budget.provider not in providers:
            notes.add_unknown(budget.provider, f"{path}.provider")
        if len(notes.mistakes) == mistakes:
            budgets[name] = budget
    return budgets


def _check_price(table: Mapping[str, Any], path: str, notes: Notes) -> None:
    """Each of the two settings says something only beside the other."""
    counted, price = table.get("unknown_price") == "count_as", _PRICE in table
    if counted and not price:
        expected = f'a price beside unknown_price = "count_as", such as {_PRICE} = 10.0'
        notes.add(f"{path}.{_PRICE}", "nothing", expected)
    elif price and not counted:
        given = table.get("unknown_price")
        expected = f'"count_as" beside {_PRICE}, or no {_PRICE}'
        notes.add(f"{path}.unknown_price", "nothing" if given is None else shown(given), expected)
