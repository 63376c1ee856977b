"""Where the admin server listens, and what it says where it cannot."""

import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from nexus_actors.admin.listening import ListenError, listen


async def test_a_port_that_is_taken_is_one_line_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError) as caught:
            await listen(text, Path("/none"))
    assert str(caught.value).startswith(f'[admin] listen = "{text}": ')
    assert "address already in use" in str(caught.value).lower()


@pytest.mark.parametrize(
    "text", ["192.0.2.1:9464", "no-such-host.invalid:9464", "unix:no/such/dir"]
)
async def test_what_cannot_be_bound_is_one_line_too(text: str, tmp_path: Path) -> None:
    with pytest.raises(ListenError) as caught:
        await listen(text, tmp_path)
    assert str(caught.value).startswith(f'[admin] listen = "{text}": ')
    assert "\n" not in str(caught.value)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="nx-") as name:
        yield Path(name)


async def test_a_socket_in_data_dir_takes_the_place_of_a_dead_one(folder: Path) -> None:
    for _ in range(2):
        (listener,) = (await listen("unix:admin.sock", folder)).listeners
        async with await trio.open_unix_socket(folder / "admin.sock"):
            await (await listener.accept()).aclose()
        assert stat.S_IMODE((folder / "admin.sock").stat().st_mode) == 0o660
        listener.socket.close()  # as a kill would: the name stays


async def test_a_socket_of_another_that_lives_is_left_alone(folder: Path) -> None:
    listening = await listen("unix:admin.sock", folder)
    with pytest.raises(ListenError, match="in use"):
        await listen("unix:admin.sock", folder)
    async with await trio.open_unix_socket(folder / "admin.sock"):
        listening.close()
    assert list(folder.iterdir()) == []


async def test_what_another_has_put_in_its_place_is_left_alone(folder: Path) -> None:
    listening = await listen("unix:admin.sock", folder)
    (folder / "admin.sock").unlink()
    (folder / "admin.sock").write_text("mine")
    listening.close()
    assert (folder / "admin.sock").read_text() == "mine"


async def test_a_file_of_somebody_is_left_alone(folder: Path) -> None:
    (folder / "admin.sock").write_text("mine")
    with pytest.raises(ListenError, match="in use"):
        await listen("unix:admin.sock", folder)
    assert (folder / "admin.sock").read_text() == "mine"


async def test_a_name_that_is_too_long_for_a_socket_is_reported(folder: Path) -> None:
    with pytest.raises(ListenError, match="too long"):
        await listen(f"unix:{'x' * 200}", folder)
