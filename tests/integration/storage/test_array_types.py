"""The driver looks no type up for our statements: it would take longer than they do."""

import asyncio
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import nexus_actors
from nexus_actors.storage.postgres.array_types import NUMBERS, TYPES
from tests.service import open_sql, request, running_service

PACKAGE = Path(nexus_actors.__file__).parent


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The numbers of the types that the driver looked up, as they come."""
    numbers: list[object] = []
    introspect = asyncpg.Connection._introspect_types  # type: ignore[attr-defined]

    async def noted(self: object, oids: list[int], timeout: float) -> object:
        numbers.extend(oids)
        return await introspect(self, oids, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", noted)
    return numbers


async def test_a_service_looks_no_type_up(
    database_url: str, tmp_path: Path, looked_up: list[object]
) -> None:
    async with running_service(database_url, tmp_path) as service:
        await service.sql.send(*(request(n) for n in range(3)), request("odd", messages=[]))
        await service.stored(4)
    assert looked_up == []


def test_every_array_that_a_statement_names_is_known() -> None:
    names = {"bigint": "int8", "integer": "int4"}
    files = [it for it in PACKAGE.rglob("*") if it.suffix in (".sql", ".py")]
    found = {it for file in files for it in re.findall(r"::(\w+)\[\]", file.read_text("utf-8"))}
    assert {names.get(it, it) for it in found} == {*NUMBERS, "text"}


async def found(url: str, oids: list[int]) -> list[dict[str, Any]]:
    """What the driver's own look-up finds, as far as we tell it."""
    connection: Any = await asyncpg.connect(url)
    rows, _ = await connection._introspect_types(oids, 60.0)
    await connection.close()
    return [{name: row[name] for name in TYPES[0]} for row in rows]


def test_what_the_driver_is_told_is_what_it_would_find(database_url: str) -> None:
    told = {it["oid"]: it for it in TYPES}
    rows = asyncio.run(found(database_url, [*told]))
    assert {it["oid"]: it for it in rows if it["oid"] in told} == told


async def test_the_numbers_are_postgresqls(database_url: str, looked_up: list[object]) -> None:
    async with open_sql(database_url) as sql:
        rows = await sql.rows(
            "SELECT typname::text AS name, typarray::int AS theirs, oid::int AS own FROM pg_type"
            " WHERE typname::text = ANY ($1::text[]) AND typnamespace = 'pg_catalog'::regnamespace",
            list(NUMBERS),
        )
        assert {row["name"]: (row["theirs"], row["own"]) for row in rows} == NUMBERS
        values = await sql.rows("SELECT $1::int8[] AS a, $2::float8[] AS b", [1, None, 3], [0.5])
    assert values == [{"a": [1, None, 3], "b": [0.5]}]
    assert looked_up == []


async def test_a_driver_that_cannot_be_told_looks_them_up(
    database_url: str, looked_up: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncpg.Connection, "get_settings", lambda _: object())
    async with open_sql(database_url) as sql:
        assert await sql.value("SELECT $1::int8[]", [7]) == [7]
    assert looked_up == [1016]
