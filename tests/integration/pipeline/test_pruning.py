"""The service deletes by itself what its config says, and goes on where the database was away."""

from pathlib import Path

from tests.service import request, running_service


async def test_old_archives_go_and_dead_letters_stay(database_url: str, tmp_path: Path) -> None:
    async with running_service(database_url, tmp_path / "one") as service:
        await service.sql.send_many([request(1), request(2), {"request_id": "bad"}])
        await service.stored(3)
        await service.sql.rows(
            "UPDATE pgmq.a_ai_requests SET archived_at = now() - interval '2 days'"
        )
        await service.sql.rows(
            "UPDATE pgmq.a_ai_results SET archived_at = now() - interval '2 days'"
        )
        await service.sql.rows(
            "UPDATE pgmq.q_ai_requests_dead SET enqueued_at = now() - interval '2 d'"
        )
    retention = {"archive_days": 1.0, "journal_days": 0.0}
    async with running_service(database_url, tmp_path / "two", retention=retention) as service:
        await service.sql.until("SELECT count(*) = 0 FROM pgmq.a_ai_requests")
        await service.sql.until("SELECT count(*) = 0 FROM pgmq.a_ai_results")
        assert await service.sql.value("SELECT count(*) FROM nexus.requests") == 3
        assert await service.sql.value("SELECT count(*) FROM pgmq.q_ai_requests_dead") == 1
