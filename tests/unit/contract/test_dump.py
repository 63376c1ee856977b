"""`dump` writes what is storable as it is, and makes storable what is not."""

import json
import math
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nexus_actors.contract.json_text import MAX_DEPTH, dump, dump_any, storable


def nested(depth: int) -> Any:
    """An empty list in so many others."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**1100), 2**1100)
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def slowly(value: Any) -> str:
    """What `dump` promises, done in two steps."""
    return json.dumps(storable(value), ensure_ascii=False, separators=(",", ":"))


def digits(text: str) -> str:
    """The value with the digits of its numbers: `1e+16` and `1e16` are one numeric to jsonb."""
    return repr(json.loads(text, parse_float=Decimal))


@given(VALUES)
def test_what_is_dumped_is_what_is_storable(value: Any) -> None:
    assert digits(dump(value)) == digits(slowly(value))
    assert dump_any(value) == slowly(value)


def test_what_jsonb_cannot_hold_is_made_storable() -> None:
    cases = [
        math.nan,
        [1.0, -math.inf],
        {"a\0": "\0"},
        {"a": "\ud800"},
        {"a\udfff": 1},
        "\\u0000",
        2**1000 - 1,
        2**1000,
        [-(10**299), 10**300, 10**301, 10**302, 10**5000],
        "9" * 1000,
        nested(MAX_DEPTH - 1),
        nested(MAX_DEPTH),
        nested(MAX_DEPTH + 1),
        nested(5000),
        [[]] * (MAX_DEPTH * 2),
        "[" * (MAX_DEPTH * 2),
        {1, 2},
        MappingProxyType({"a": (1, 2)}),
        object,
        {"é": "—\u2028"},
    ]
    wrong = []
    for number, value in enumerate(cases):  # some have no repr, as they are too deep or too long
        found = (dump(value), dump_any(value), slowly(value))
        if len(set(found)) > 1:
            wrong.append((number, *found))
    assert not wrong, "\n".join(map(repr, wrong))
