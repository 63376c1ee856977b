"""Does each query of the dashboard and of the alerts find something? Asked of a real Prometheus.

    python -m benchmarks.dashboard [--seconds 60]

A busy service (streams, costs, budgets, a pause, a provider that fails, one that says "later", a
key that is refused) is scraped each second by Debian's `prometheus`, which then gets the queries.
Says which found nothing, and ends with 1 then. No measure: it belongs to config/grafana/nexus.json.
"""

import argparse
import json
import re
import shutil
import socket
import sys
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from benchmarks.ground import OTHER_CORES, ROOT, Ground, child, open_ground
from benchmarks.nexus import Nexus, service
from benchmarks.upstream import call_length
from nexus_actors.storage.postgres.connection import PostgresPool, fetch, open_postgres

INTERVAL = "15s"
"""What Grafana would put in for $__rate_interval."""
SETTLED = 20.0
"""Seconds that Prometheus is given to start, and to have its first scrapes."""
CONFIG = """
[service]
data_dir = "{folder}"
[database]
url = "{url}"
[admin]
listen = "127.0.0.1:{port}"
[tracing]
endpoint = "http://127.0.0.1:{upstream}"
[budgets.all]
dollars = 100
unknown_price = "ignore"
{providers}
[[routes]]
complexity = "simple"
task_type = "*"
models = ["good/model", "good/strange"]
pick = "weighted"
weights = [3, 1]
[[routes]]
complexity = "medium"
task_type = "*"
models = ["fails/model"]
[[routes]]
complexity = "complex"
task_type = "*"
models = ["later/model"]
"""
PROVIDER = """
[providers.{name}]
kind = "openai_compatible"
base_url = "http://127.0.0.1:{port}/{name}/v1"
api_key_file = ["{keys}/good", "{keys}/refused"]
breaker_failures = 2
pool_size = 4
models."model" = {{ input_price = 1.0, cached_input_price = 0.1, output_price = 4.0 }}
"""
KEYS = {"good": "good-key-1", "refused": "refused-key-2"}
SEND = """
SELECT pgmq.send('ai_requests', jsonb_build_object(
    'request_id', gen_random_uuid()::text,
    'agent_id', CASE WHEN n % 20 = 0 THEN 'stopped' ELSE 'a' END,
    'complexity', (ARRAY['simple', 'simple', 'simple', 'medium', 'complex'])[1 + n % 5],
    'timeout', 20000, 'stream', n % 2 = 0,
    'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'hello'))))
FROM generate_series(1, 20) AS n
"""
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 10},
}


def reply(call: bytes, number: int) -> tuple[int, str, bytes]:
    """Code, content type and body, by the provider and the key of a call."""
    head = call.split(b"\r\n\r\n", 1)[0]
    if b"/traces" in head:
        return 200, "application/x-protobuf", b""
    if b"refused-key" in head:
        return 401, "application/json", b'{"error": {"message": "no", "code": "invalid_api_key"}}'
    if b"/fails/" in head:
        return 500, "application/json", b'{"error": {"message": "it fails"}}'
    if b"/later/" in head and number % 3:
        return 429, "application/json", b'{"error": {"message": "later"}}'
    base = {"id": "c", "created": 1, "model": "model", "object": "chat.completion"}
    text = {"role": "assistant", "content": "hello"}
    if re.search(rb'"stream":\s*true', call):
        piece = {**base, "choices": [{"index": 0, "delta": text, "finish_reason": None}]}
        end = {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        last = {**base, "choices": [], "usage": USAGE}
        told = [f"data: {json.dumps(it)}\n\n" for it in (piece, end, last)]
        return 200, "text/event-stream", "".join([*told, "data: [DONE]\n\n"]).encode()
    choice = {"index": 0, "message": text, "finish_reason": "stop"}
    return (
        200,
        "application/json",
        json.dumps({**base, "choices": [choice], "usage": USAGE}).encode(),
    )


async def answer(stream: trio.SocketStream) -> None:
    """Calls on one connection."""
    data, number = b"", 0
    with suppress(trio.BrokenResourceError):
        while chunk := await stream.receive_some():
            data += chunk
            while (length := call_length(data)) is not None and length <= len(data):
                call, data, number = data[:length], data[length:], number + 1
                await trio.sleep(0.02)
                code, kind, body = reply(call, number)
                head = (
                    f"HTTP/1.1 {code} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
                )
                await stream.send_all(head.encode() + b"\r\n" + body)


def free_port() -> int:
    """One that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def queries() -> Iterator[tuple[str, str]]:
    """Whose, and what: those of the dashboard with all jobs, instances and providers chosen."""
    dashboard = json.loads((ROOT / "config/grafana/nexus.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            text = re.sub(r"\$(job|instance|provider)\b", ".*", target["expr"])
            yield (
                f"{panel['title']}: {target['legendFormat']}",
                text.replace("$__rate_interval", INTERVAL),
            )


def get(port: int, path: str, **parameters: str) -> Any:
    """What Prometheus answers."""
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/api/v1/{path}?{query}", timeout=30
    ) as found:
        return json.load(found)["data"]


async def asked(function: Callable[..., Any], *arguments: object, **more: str) -> Any:
    """`get` and its like, in a thread."""
    return await trio.to_thread.run_sync(partial(function, *arguments, **more))


@asynccontextmanager
async def prometheus(ground: Ground, target: int, port: int) -> AsyncIterator[None]:
    """It scrapes the service each second, with the alerts that we ship."""
    file = ground.file("prometheus.json")
    job = {"job_name": "nexus", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    rules = str(ROOT / "config/prometheus/alerts.yml")
    often = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    file.write_text(json.dumps({"global": often, "rule_files": [rules], "scrape_configs": [job]}))
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={ground.file('tsdb')}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    async with child(command, log=ground.file("prometheus.log"), where=OTHER_CORES):
        yield


def write_keys(folder: Path) -> None:
    """As only their user may read them."""
    folder.mkdir()
    for name, key in KEYS.items():
        file = folder / name
        file.write_text(key)
        file.chmod(0o600)


async def sending(pool: PostgresPool) -> None:
    """A few requests, again and again."""
    while True:
        await pool.run(fetch, SEND)
        await trio.sleep(0.5)


async def look(port: int) -> int:
    """Ask, print, and count what found nothing."""
    lost = 0
    for whose, query in queries():
        found = await asked(get, port, "query", query=query)
        values = [f"{' '.join(it['metric'].values())} {it['value'][1]}" for it in found["result"]]
        shown = ", ".join(values[:6]) + (" …" if len(values) > 6 else "")
        print(f"{'ok ' if values else 'NONE'} {whose}: {shown}")
        lost += not values
    groups = (await asked(get, port, "rules"))["groups"]
    for rule in (it for group in groups for it in group["rules"]):
        took = rule["evaluationTime"] * 1e3
        print(f"{rule['health']} {rule['name']}: {rule['state']}, {took:.1f} ms")
        lost += rule["health"] != "ok"
    slowest = await asked(get, port, "query", query="max_over_time(scrape_duration_seconds[1m])")
    print("a scrape took at most", slowest["result"][0]["value"][1], "s")
    return lost


async def run(seconds: float) -> int:
    """How many queries found nothing."""
    async with open_ground() as ground, trio.open_nursery() as nursery:
        (upstream,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(partial(trio.serve_listeners, answer, [upstream]))
        port = upstream.socket.getsockname()[1]
        keys = ground.file("keys")
        write_keys(keys)
        named = "".join(
            PROVIDER.format(name=it, port=port, keys=keys) for it in ("good", "fails", "later")
        )
        like = await Nexus("ours").template(ground)
        async with ground.database(like) as url, open_postgres(url, pool_size=2) as pool:
            folder, target, own = ground.file("data"), free_port(), free_port()
            text = CONFIG.format(
                folder=folder, url=url, port=target, upstream=port, providers=named
            )
            async with service(ground, text, folder), prometheus(ground, target, own):
                await pool.run(fetch, "SELECT nexus.pause('agent', 'stopped')")
                nursery.start_soon(sending, pool)
                await trio.sleep(SETTLED + seconds)
                lost = await look(own)
                nursery.cancel_scope.cancel()
    return lost


def main() -> int:
    """1 if a query found nothing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    if shutil.which("prometheus") is None:
        print("prometheus is not installed (Debian: apt-get install prometheus)")
        return 1
    return int(trio.run(run, seconds) > 0)


if __name__ == "__main__":
    sys.exit(main())
