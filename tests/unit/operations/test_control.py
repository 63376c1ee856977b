"""The control socket bears whatever is sent to it."""

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.operations import private
from nexus_actors.operations.control import REQUEST_LIMIT, CommandRefused, Control, ask
from nexus_actors.operations.control_client import ControlError, NotRunning, socket_path
from supervisors import open_tree
from supervisors.errors import StartError


async def send(data_dir: Path, text: bytes) -> dict[str, Any]:
    async with await trio.open_unix_socket(str(socket_path(data_dir))) as stream:
        await stream.send_all(text)
        reply = b""
        async for chunk in stream:
            reply += chunk
        answer = json.loads(reply)
        assert isinstance(answer, dict)
        return answer


async def fail(_arguments: Mapping[str, Any]) -> object:
    raise ZeroDivisionError


async def refuse(arguments: Mapping[str, Any]) -> object:
    raise CommandRefused(f"there is no {arguments['name']}")


async def hello(arguments: Mapping[str, Any]) -> object:
    return {"hello": arguments.get("name", "you")}


def control(data_dir: Path) -> Control:
    return Control(data_dir=data_dir, commands={"hello": hello, "fail": fail, "refuse": refuse})


@pytest.mark.parametrize(
    "text",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b'{"command": []}\n',
        b'{"command": "no"}\n',
        b'{"command": "hello", "arguments": "no"}\n',
        b"[" * REQUEST_LIMIT,
    ],
    ids=["empty", "no-json", "no-object", "no-name", "unknown", "no-arguments", "deep"],
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


async def test_a_command_is_given_its_arguments_and_may_refuse_them(tmp_path: Path) -> None:
    async with open_tree(lambda: control(tmp_path)):
        assert await ask(tmp_path, "hello", {"name": "Joe"}) == {"hello": "Joe"}
        with pytest.raises(ControlError, match="there is no Mike"):
            await ask(tmp_path, "refuse", {"name": "Mike"})


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


NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def as_nobody(action: Callable[[], object]) -> int:
    """Run it in a child of another user; 0 unless it raised."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def long_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data_dir whose name is too long for a socket, and temporary files that all may write."""
    with tempfile.TemporaryDirectory(prefix="nx-") as shared:
        Path(shared).chmod(0o1777)
        monkeypatch.setattr(tempfile, "tempdir", shared)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        deep = tmp_path / ("d" * 200)
        deep.mkdir(mode=0o700)
        yield deep


async def test_nobody_can_take_the_place_of_a_socket_that_stands_elsewhere(long_dir: Path) -> None:
    async with open_tree(lambda: control(long_dir)):
        first = socket_path(long_dir).parent
        found = first.stat()
        assert found.st_mode & 0o777 == 0o700
        assert found.st_uid == os.geteuid()
    # The place is known by now. What stands there and is not ours alone is left alone.
    first.mkdir(mode=0o777)
    first.chmod(0o777)
    async with open_tree(lambda: control(long_dir)):
        assert await ask(long_dir, "hello") == {"hello": "you"}
        assert socket_path(long_dir).parent != first
    (link := socket_path(long_dir).parent).symlink_to(first)
    async with open_tree(lambda: control(long_dir)):
        assert await ask(long_dir, "hello") == {"hello": "you"}
        assert socket_path(long_dir).parent not in (first, link)
    assert list(first.iterdir()) == []


async def test_the_users_own_runtime_directory_comes_first(
    long_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Path(tempfile.gettempdir()) / "run"
    runtime.mkdir(mode=0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    for mode, expected in ((0o755, runtime.parent), (0o700, runtime)):
        runtime.chmod(mode)
        async with open_tree(lambda: control(long_dir)):
            assert socket_path(long_dir).parent.parent == expected


@as_root
def test_a_directory_is_ours_if_nobody_else_has_made_it_or_may_enter(tmp_path: Path) -> None:
    (ours := tmp_path / "ours").mkdir(mode=0o700)
    assert private.is_ours(ours)
    (link := tmp_path / "link").symlink_to(ours)
    assert not private.is_ours(link)
    (theirs := tmp_path / "theirs").mkdir(mode=0o700)
    os.chown(theirs, NOBODY, NOBODY)
    assert not private.is_ours(theirs)
    (tmp_path / "file").touch(mode=0o600)
    assert not private.is_ours(tmp_path / "file")


@as_root
async def test_a_data_dir_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    with pytest.raises(StartError) as refused:
        async with open_tree(lambda: control(tmp_path)):
            pass
    assert "belongs to another user" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@as_root
async def test_another_users_server_is_told_nothing(tmp_path: Path) -> None:
    path = socket_path(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        # Bound by root here, as if the place had been free to all; it listens as somebody else.
        server.bind(str(path))

        def listen() -> None:
            server.listen()

        assert as_nobody(listen) == 0
        with pytest.raises(ControlError, match=rf"another user \(uid {NOBODY}\)"):
            await ask(tmp_path, "hello")


@as_root
async def test_another_user_is_answered_nothing_whatever_the_socket_admits() -> None:
    with tempfile.TemporaryDirectory(prefix="nx-") as name:
        data_dir = Path(name)
        async with open_tree(lambda: control(data_dir)):
            data_dir.chmod(0o755)
            path = socket_path(data_dir)
            path.chmod(0o666)

            def answers() -> None:
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(30)
                    client.connect(str(path))
                    with suppress(ConnectionResetError, BrokenPipeError):
                        client.sendall(b'{"command": "hello"}\n')
                        assert client.recv(100) == b""

            assert await trio.to_thread.run_sync(as_nobody, answers) == 0
            assert await ask(data_dir, "hello") == {"hello": "you"}
