"""The control socket bears whatever is sent to it."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.operations.control import (
    Control,
    ControlError,
    NotRunning,
    ask,
    socket_path,
)
from supervisors import open_tree


async def send(data_dir: Path, text: bytes) -> dict[str, Any]:
    async with await trio.open_unix_socket(str(socket_path(data_dir))) as stream:
        await stream.send_all(text)
        reply = b""
        async for chunk in stream:
            reply += chunk
        answer = json.loads(reply)
        assert isinstance(answer, dict)
        return answer


async def fail() -> object:
    raise ZeroDivisionError


async def hello() -> object:
    return {"hello": "you"}


def control(data_dir: Path) -> Control:
    return Control(data_dir=data_dir, commands={"hello": hello, "fail": fail})


@pytest.mark.parametrize(
    "text",
    [b"\n", b"nonsense\n", b"[]\n", b'{"command": []}\n', b'{"command": "no"}\n', b"[" * 4096],
    ids=["empty", "no-json", "no-object", "no-name", "unknown", "deep"],
)
async def test_what_makes_no_sense_is_answered_and_ends_nothing(
    text: bytes, tmp_path: Path
) -> None:
    async with open_tree(lambda: control(tmp_path)) as ref:
        for _ in range(5):
            assert "expected" in (await send(tmp_path, text))["error"]
        assert ref.is_alive
        assert await ask(tmp_path, "hello") == {"hello": "you"}


async def test_a_command_that_fails_is_answered_and_ends_nothing(tmp_path: Path) -> None:
    async with open_tree(lambda: control(tmp_path)):
        with pytest.raises(ControlError, match="fail failed"):
            await ask(tmp_path, "fail")
        assert await ask(tmp_path, "hello") == {"hello": "you"}


async def test_only_its_user_can_connect_and_nothing_is_left_behind(tmp_path: Path) -> None:
    async with open_tree(lambda: control(tmp_path)):
        assert socket_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert not socket_path(tmp_path).exists()
    with pytest.raises(NotRunning):
        await ask(tmp_path, "hello")


async def test_a_long_data_dir_gets_a_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 200)
    deep.mkdir()
    async with open_tree(lambda: control(deep)):
        assert await ask(deep, "hello") == {"hello": "you"}
    assert not socket_path(deep).parent.exists()
