"""Tells the driver about the arrays that our statements pass.

The driver knows arrays of text and few others. It looks any other up in the catalogs, on each
connection anew, when a statement first needs it: a recursive query whose planning alone takes 10
ms. These are PostgreSQL's own types, whose numbers are the same on every server.
"""

from typing import Final

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

TYPES: Final = [
    {
        "oid": array,
        "ns": "pg_catalog",
        "name": f"_{name}",
        "kind": b"b",
        "basetype": None,
        "elemtype": element,
        "elemdelim": b",",
        "range_subtype": None,
        "attrtypoids": None,
        "attrnames": None,
    }
    for name, (array, element) in NUMBERS.items()
]
"""What the driver's own query would return for each of these arrays."""


def declare_arrays(settings: object) -> None:
    """Spare the driver the look-up. `settings`: what `get_settings` of a connection returns. A
    release that cannot be told looks the types up."""
    register = getattr(settings, "register_data_types", None)
    if register is not None:
        register(TYPES)
