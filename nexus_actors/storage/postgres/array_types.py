"""Tells the driver about the arrays that our statements pass.

The driver knows arrays of text and few others. It looks any other up in the catalogs, on each
connection anew, when a statement first needs it: a recursive query whose planning alone takes 10
ms. These are PostgreSQL's own types, whose numbers are the same on every server.
"""

from typing import Final, TypeAlias

import asyncpg
import asyncpg.pool

Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)

NUMBERS: Final = {
    "int4": (1007, 23),
    "tid": (1010, 27),
    "int8": (1016, 20),
    "float8": (1022, 701),
    "timestamptz": (1185, 1184),
    "numeric": (1231, 1700),
    "uuid": (2951, 2950),
    "jsonb": (3807, 3802),
}
"""By the name of a type: the number of its array type, and its own."""

_TYPES: Final = [
    # What the driver's own query returns for an array.
    {
        "oid": array,
        "ns": "pg_catalog",
        "name": f"_{name}",
        "kind": b"b",
        "basetype": None,
        "elemtype": element,
        "elemdelim": ",",
        "range_subtype": None,
        "attrtypoids": None,
        "attrnames": None,
    }
    for name, (array, element) in NUMBERS.items()
]


def declare_arrays(connection: Connection) -> None:
    """Spare the driver the look-up. Where a release cannot be told, it looks the types up."""
    register = getattr(connection.get_settings(), "register_data_types", None)
    if register is not None:
        register(_TYPES)
