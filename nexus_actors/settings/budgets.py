"""`[budgets.NAME]`: what may be spent."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import ValidationError

from nexus_actors.settings.mistakes import Notes, add_validation_errors, shown, to_json
from nexus_actors.settings.model import BudgetSettings

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def read_budgets(given: Any, providers: Collection[str], notes: Notes) -> dict[str, BudgetSettings]:
    """The budgets that have no mistakes. `providers`: the names there are."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        notes.add("budgets", shown(given), "tables: [budgets.NAME]")
        return {}
    budgets = {}
    for name, table in given.items():
        path = f"budgets.{name}"
        if not isinstance(table, Mapping) or not _NAME.fullmatch(name):
            expected = "a table [budgets.NAME], its name of lower-case letters, digits, - or _"
            notes.add(path, shown(table), expected)
            continue
        try:
            budget = BudgetSettings.model_validate_json(to_json(table))
        except ValidationError as error:
            add_validation_errors(notes, error, BudgetSettings, path)
            continue
        if budget.provider is not None and budget.provider not in providers:
            notes.add_unknown(budget.provider, f"{path}.provider")
        budgets[name] = budget
    return budgets
