"""Three processes of one account: together they use what it may be used for, and no more."""

import json
from pathlib import Path

import pytest

from nexus_actors.admission.buckets import BURST_SECONDS
from nexus_actors.operations import control_client
from tests.acceptance.nexus import Nexus, query, value, wait_for

CONFIG = """
[service]
data_dir = {data_dir}
[database]
url = {url}
[providers.account]
kind = "echo"
pool_size = 32
{limit}
[[routes]]
models = ["account/model"]
"""
SENT = """
SELECT pgmq.send('ai_requests', jsonb_build_object(
    'request_id', 'r-' || n, 'complexity', 'simple', 'max_tokens', 60,
    'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', $2::text))))
FROM generate_series(1, $1::integer) AS n
"""
# By the database's clock; the first call is what the rest is measured from.
USED = """
SELECT extract(epoch FROM max(a.started_at) - min(a.started_at))::float8 AS seconds,
       count(*)::float8 AS requests, sum(prompt_tokens + completion_tokens)::float8 AS tokens,
       count(DISTINCT a.owner) AS processes
FROM nexus.attempts AS a JOIN nexus.requests USING (request_id)
"""


@pytest.mark.parametrize(
    ("what", "per_minute", "count"), [("requests", 3000, 300), ("tokens", 180_000, 300)]
)
def test_three_processes_together_use_a_limit_to_the_full_and_not_beyond(
    nexus: Nexus, database_url: str, what: str, per_minute: int, count: int
) -> None:
    folders = [nexus.folder / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        text = CONFIG.format(
            data_dir=json.dumps(str(folder)),
            url=json.dumps(database_url),
            limit=f"{what}_per_minute = {per_minute}",
        )
        (folder / "nexus.toml").write_text(text)
        nexus.start("--config", str(folder / "nexus.toml"))
    for folder in folders:
        wait_for(lambda folder=folder: answers(folder), "a service")
    query(database_url, SENT, count, "word " * 40)
    wait_for(lambda: value(database_url, "SELECT count(*) FROM job_results") == count, "answers")
    (used,) = query(database_url, USED)
    assert (used["processes"], used["requests"]) == (3, count)
    # What an unused limit has saved up is used first.
    allowed = per_minute / 60 * (used["seconds"] + BURST_SECONDS)
    assert used[what] == pytest.approx(allowed, rel=0.05)


def answers(folder: Path) -> bool:
    try:
        return bool(control_client.ask(folder, "status"))
    except control_client.ControlError:
        return False
