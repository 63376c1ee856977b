"""Sessions are alike behind a pooler and whatever a database sets for others; a pooler that gives
each transaction another session is refused by name."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nexus_actors.storage.postgres.connection import open_postgres
from nexus_actors.storage.postgres.errors import DatabaseStartError, describe
from tests.pooler import pooler
from tests.service import open_sql, request, running_service

ODD = {
    "standard_conforming_strings": "off",
    "search_path": "nowhere",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "row_security": "off",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Pacific/Chatham",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "transform_null_equals": "on",
    "lock_timeout": "1",
    "statement_timeout": "300",
    "enable_indexscan": "off",
}


async def test_a_pooler_of_transactions_is_refused_with_the_fix(database_url: str) -> None:
    async with pooler(database_url, "transaction") as url:
        with pytest.raises(DatabaseStartError, match="pool_mode = session") as raised:
            async with open_postgres(url):
                pass
    assert raised.value.kind == "unusable"
    assert urlsplit(url).netloc.partition("@")[2] in str(raised.value)


async def test_the_service_works_behind_a_pooler_of_sessions(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        pooler(database_url, "session") as url,
        running_service(url, tmp_path) as service,
    ):
        await service.sql.send(*(request(n) for n in range(5)))
        await service.stored(5)
        assert service.application.database.hints.connected


async def test_a_databases_own_settings_change_nothing(database_url: str, tmp_path: Path) -> None:
    """All at once, then the whole way of a request, with a budget and dead letters."""
    name = urlsplit(database_url).path.lstrip("/")
    async with open_sql(database_url) as sql:
        for setting, value in ODD.items():
            await sql.rows(f"ALTER DATABASE {name} SET {setting} = '{value}'")
        async with running_service(
            database_url,
            tmp_path,
            providers={
                "echo": {
                    "kind": "echo",
                    "models": {"echo": {"input_price": 1.0, "output_price": 1.0}},
                    "requests_per_minute": 60_000,
                }
            },
            budgets={"all": {"dollars": 100}},
        ) as service:
            hostile = "a\\b'c\"d\\\\ ü \u2028"
            bodies = [request(n, messages=[{"role": "user", "content": hostile}]) for n in range(4)]
            await sql.send(*bodies, request(9, complexity="no such"))
            await service.stored(5)
            results = await sql.results()
            assert sorted(it["status"] for it in results) == ["error", *["ok"] * 4]
            assert sum(any(hostile in str(text) for text in it.values()) for it in results) == 4
            await sql.until("SELECT count(*) = 5 FROM job_results")
            spent = await sql.value("SELECT count(*) FROM nexus.attempts WHERE cost IS NOT NULL")
            assert spent == 4


@pytest.mark.parametrize(
    "context",
    [
        "PL/pgSQL function public.refuse() line 3 at RAISE",
        "PL/pgSQL-Funktion public.refuse() Zeile 3 bei RAISE",
        "fonction PL/pgSQL public.refuse(), ligne 3, à RAISE",
        "PL/pgSQL関数public.refuse()の3行目 - RAISE",
        "функция PL/pgSQL public.refuse(), строка 3, оператор RAISE",
        'SQL statement "SELECT f(1)"\nPL/pgSQL function public.refuse() line 3 at RAISE',
    ],
)
def test_a_function_that_refused_is_named_in_any_language(context: str) -> None:
    from asyncpg import RaiseError

    error = RaiseError("no")
    error.context = context
    assert "in function public.refuse" in describe(error)
