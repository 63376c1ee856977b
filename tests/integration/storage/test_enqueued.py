"""`nexus enqueue` and the service judge a request alike: one by its line, the other by jsonb."""

import json

import pytest

from nexus_actors.cli.enqueue import _check
from nexus_actors.contract.bounds import Bounds
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.jsonb import TooLarge, as_jsonb_has_it
from nexus_actors.storage.postgres.connection import open_postgres
from nexus_actors.storage.postgres.migrate import migrate
from nexus_actors.storage.postgres.sql import Queues
from tests.service import open_sql

GOOD = json.dumps(
    {"request_id": "r", "complexity": "simple", "messages": [{"role": "user", "content": "x"}]}
)
QUEUES = Queues(
    requests="ai_requests", results="ai_results", dead="ai_requests_dead", acknowledge="archive"
)
MEGABYTE = 2**20
FIELDS = [
    *('"temperature": 1e300', '"temperature":1.5e0', '"max_tokens":1e3', '"max_tokens":10.0'),
    *('"a": 1e299', '"a":-1E+300', '"a":1e-16383', '"a":1e-400', '"a":1E-390', '"a":123456789e295'),
    *('"a":-0', '"a":-0e5', '"a":0e999', '"a":[1e10,"1e999"]', '"a":{"b":1,"b":1e400}'),
    *(f'"a":"{"x" * (MEGABYTE - more)}"' for more in (126, 96, 76)),
    *(f'"a":[{"1e250," * many}0]' for many in (4100, 4180)),
]
TEXTS = ["1e5", "1.50e1", "-2E-3", "[1,2.0,{}]", r'{"a":"\u00e9\/\n","b":[-1e0]}', r'"1e5 \" 1e5"']


async def test_a_line_is_refused_where_the_service_would_refuse_it(database_url: str) -> None:
    async with open_postgres(database_url, pool_size=1) as pool:
        await migrate(pool, QUEUES)
    verdicts = []
    async with open_sql(database_url) as sql:
        for fields in FIELDS:
            line = f"{GOOD[:-1]}, {fields}}}"
            (row,) = await sql.rows(
                "SELECT body, fault FROM nexus.read_message($1::jsonb, $2)", line, MEGABYTE
            )
            good, _ = _check(1, [line.encode()], Bounds(), 1)
            refused = row["fault"] or isinstance(decode_request(row["body"]), Refusal)
            verdicts.append(bool(good))
            assert bool(good) is not bool(refused), fields[:40]
        for text in TEXTS:
            size = await sql.value("SELECT octet_length($1::jsonb::text)", text)
            as_jsonb_has_it(text, size)
            with pytest.raises(TooLarge):
                as_jsonb_has_it(text, size - 1)
    assert set(verdicts) == {True, False}
