"""Batches as JSON text: the fast way says what the standard one says, and refuses the same."""

import json
import math
from datetime import UTC, datetime

import pytest

from nexus_actors.contract.errors import ErrorType
from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.postgres.encoding import document

AT = datetime(2026, 11, 29, 12, 30, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_say_is_refused_and_no_null(number: float) -> None:
    with pytest.raises(StorageRefused, match="ValueError"):
        document([{"cost": 0.5}, {"cost": number}])


def test_what_no_json_knows_is_refused() -> None:
    with pytest.raises(StorageRefused, match="TypeError"):
        document([{"detail": object()}])


@pytest.mark.parametrize(
    "value",
    [
        "a lone surrogate: \ud800",
        'quotes " and \\ and \x00 and \u2028',
        {"kind": ErrorType.TIMEOUT, "candidates": ["a/b"], "met": True, "none": None},
        2**70,
        1e-7,
        ("a", "tuple"),
    ],
)
def test_a_value_is_written_as_it_is(value: object) -> None:
    [row] = json.loads(document([{"value": value}]))
    assert row == json.loads(json.dumps({"value": value}))


def test_a_time_is_written_with_its_zone() -> None:
    [row] = json.loads(document(iter([{"at": AT}])))
    assert datetime.fromisoformat(row["at"]) == AT
