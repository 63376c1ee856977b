"""Forms: read as browsers send them, so many at once."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import trio
import trio.testing
from starlette.requests import Request

from nexus_actors.dashboard import bodies
from nexus_actors.dashboard.bodies import BadForm, Bodies, fields_of


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a",
        b"a=b=c&d=&&e",
        b"a=%2541+%25&b=%e2%82%ac%E2%82%AC",
        b"a=%zz%2&b=%",
        b"a%3Db=c%26d",
        urlencode({"all": "".join(map(chr, range(1, 500)))}).encode(),
    ],
    ids=lambda it: it[:20].decode(),
)
def test_fields_are_read_as_the_standard_library_reads_them(body: bytes) -> None:
    expected: dict[str, str] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        expected.setdefault(name, value.replace("\r\n", "\n"))
    assert fields_of(body) == expected


async def test_a_long_form_is_taken_apart_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Any] = []
    in_thread = trio.to_thread.run_sync

    async def run_sync(function: Any, *arguments: Any, **more: Any) -> Any:
        used.append(function)
        return await in_thread(function, *arguments, **more)

    monkeypatch.setattr(bodies.trio.to_thread, "run_sync", run_sync)
    sent = b"a=" + b"%41" * 10_000
    assert await Bodies(1).form(request(sent)) == {"a": "A" * 10_000}
    assert used == [fields_of]


async def test_of_too_many_that_come_the_oldest_gives_way() -> None:
    both = Bodies(2)
    ended: list[int] = []

    async def come(number: int) -> None:
        with pytest.raises(BadForm):
            await both.form(request(None))
        ended.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(come, number)
            await trio.testing.wait_all_tasks_blocked()
        assert ended == [0, 1]
        assert await both.form(request(b"a=b")) == {"a": "b"}
        await trio.testing.wait_all_tasks_blocked()
        assert ended == [0, 1, 2]
        nursery.cancel_scope.cancel()


async def test_one_that_does_not_come_is_not_waited_for(autojump_clock: object) -> None:
    with pytest.raises(BadForm, match="within 10 s"):
        await Bodies(1).form(request(None))


def request(body: bytes | None) -> Request:
    """One with that form; None: it never comes."""

    async def receive() -> Any:
        await trio.lowlevel.checkpoint()
        if body is None:
            await trio.sleep_forever()
        return {"type": "http.request", "body": body, "more_body": False}

    kind = (b"content-type", b"application/x-www-form-urlencoded")
    return Request({"type": "http", "method": "POST", "headers": [kind]}, receive)
