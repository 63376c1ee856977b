"""PGMQ by hand, through the client."""

from pathlib import Path

import pytest

from nexus_actors.client import InvalidArguments, Unavailable
from tests.integration.client.client_helpers import client
from tests.service import open_sql


async def test_a_message_is_sent_read_and_acknowledged(database_url: str, tmp_path: Path) -> None:
    async with client(database_url, tmp_path) as service, open_sql(database_url) as sql:
        queues = service.queues
        first = await queues.send_message("ai_results", {"text": "naïve \0"})
        await queues.send_message("ai_results", [1], delay=3600)
        [message] = await queues.read_messages("ai_results", 10)
        assert (message.msg_id, message.read_ct, message.body) == (first, 1, {"text": "naïve �"})
        assert await queues.read_messages("ai_results", 10) == []
        assert await queues.ack_message("ai_results", first) is True
        assert await queues.ack_message("ai_results", first) is False
        assert await sql.value("SELECT count(*) FROM pgmq.a_ai_results") == 1


async def test_a_poison_message_hinders_no_other(database_url: str, tmp_path: Path) -> None:
    async with client(database_url, tmp_path) as service, open_sql(database_url) as sql:
        await sql.send('{"n": 1e131071}', '"good"', queue="ai_results")
        poison, good = await service.queues.read_messages("ai_results", 2)
        assert good.body == "good"
        with pytest.raises(ValueError, match="out of range"):
            _ = poison.body


async def test_queues_are_created_where_they_are_absent(database_url: str, tmp_path: Path) -> None:
    sections = {"queue": {"requests": "llm_requests", "acknowledge": "delete"}}
    async with client(database_url, tmp_path, sections=sections) as service:
        queues = service.queues
        with pytest.raises(Unavailable):
            await queues.send_message("llm_requests", 1)
        await queues.ensure_all_queues()
        await queues.ensure_all_queues()
        msg_id = await queues.send_message("llm_requests", 1)
        assert await queues.ack_message("llm_requests", msg_id)
        async with open_sql(database_url) as sql:
            assert await sql.value("SELECT count(*) FROM pgmq.a_llm_requests") == 0
            assert len(await sql.rows("SELECT * FROM pgmq.list_queues()")) == 4


async def test_a_name_that_cannot_be_a_queue_is_refused(database_url: str, tmp_path: Path) -> None:
    async with client(database_url, tmp_path) as service:
        for name in ("it's", "UPPER", "", "x" * 48):
            with pytest.raises(InvalidArguments, match="queue"):
                await service.queues.ensure_queue(name)
