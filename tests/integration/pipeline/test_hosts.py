"""Hosts of URLs in requests whose names nobody answers for: only their requests wait for them."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.service import request, running_service

TIMEOUT = 1.5
SILENT = ".silent.example"


def pictures(number: int | str, hosts: int) -> dict[str, Any]:
    urls = [f"https://h{number}-{host}{SILENT}/a.png" for host in range(hosts)]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = {"messages": [{"role": "user", "content": parts}]}
    return {**request(number), **content, "timeout": TIMEOUT * 1000}


async def test_silent_name_servers_hold_up_no_other_request_and_no_thread_of_others(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, asked = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.endswith(SILENT) and not kwargs and not args[-1] & socket.AI_NUMERICHOST:
            answered.wait()
        return asked(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    sections: dict[str, Any] = {"providers": {"echo": {"kind": "echo", "pool_size": 2}}}
    try:
        async with running_service(database_url, tmp_path, **sections) as service:
            slow = [pictures(number, 32) for number in range(4)]
            await service.sql.send_many([*slow, pictures("many", 300)])
            await service.stored(5)
            results = {r["request_id"]: r["error"] for r in await service.sql.results()}
            refused = results.pop("request-many")
            assert refused["type"] == "request_rejected"
            assert "32 hosts ([requests] max_hosts)" in refused["message"]
            assert {error["type"] for error in results.values()} == {"timeout"}
            # All threads for such hosts are dead by now; the others are not.
            assert trio.to_thread.current_default_thread_limiter().borrowed_tokens < 4
            await service.sql.send_many([request("after"), pictures("late", 1)])
            await service.stored(7)
            ends = {r["request_id"]: r["status"] for r in await service.sql.results()}
            assert (ends["request-after"], ends["request-late"]) == ("ok", "error")
    finally:
        answered.set()
