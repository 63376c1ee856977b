"""What a drill makes of what the database has."""

import json

from nexus_actors.drill import evidence
from tests.service import open_sql, request


async def test_what_is_in_the_queue_is_not_lost_and_what_is_nowhere_is(database_url: str) -> None:
    ids = ["request-0", "request-1", "request-2"]
    async with open_sql(database_url) as sql:
        await sql.send(request(0))
        answer = json.dumps({"request_id": "request-1"})
        await sql.rows("SELECT pgmq.send('ai_results', $1::text::jsonb)", answer)
        found = await evidence.counts(sql._pool, ids, {}, {})
    assert (found["results"], found["left_in_queue"], found["lost"]) == (1, 1, 1)
    assert found["unstored"] == 1
