"""What `nexus doctor` says of the address it is to listen at, and of the collector."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexus_actors.doctor import network
from nexus_actors.operations.instance import claim_instance
from tests.doctors import ECHO, House, assert_result


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def admin(house: House, listen: str) -> None:
    house.configure(f'{ECHO}[admin]\nlisten = "{listen}"\n')


def tracing(house: House, endpoint: str) -> None:
    house.configure(f'{ECHO}[tracing]\nendpoint = "{endpoint}"\n')


async def test_nothing_is_said_of_what_is_off(house: House) -> None:
    assert await house.look("admin", "tracing") == []


async def test_a_port_is_free_or_ours_or_somebody_elses(
    house: House, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin(house, "127.0.0.1:0")
    assert_result(await house.find("admin"), "ok", "is free")
    admin(house, f"127.0.0.1:{taken}")
    told = await house.find("admin")
    assert_result(told, "wrong", f"127.0.0.1:{taken} is taken by another", f"sport = :{taken}")
    with claim_instance(house.data_dir):  # by this process, which holds the port as well
        assert_result(await house.find("admin"), "ok", "is held by the service")
        monkeypatch.setattr(network, "_LISTENS", "none does")
        assert_result(await house.find("admin"), "wrong", "is taken by another")
        monkeypatch.setattr(network, "_holds", lambda *_: None)
        assert_result(await house.find("admin"), "not checked", "does not show whether")
    admin(house, "192.0.2.1:9464")
    assert_result(await house.find("admin"), "wrong", "192.0.2.1:9464: ", "an address of this host")


async def test_a_socket_is_free_or_left_over_or_ours_or_somebody_elses(house: House) -> None:
    house.data_dir.mkdir(mode=0o700)
    admin(house, "unix:admin.sock")
    assert_result(await house.find("admin"), "ok", "is free")
    path = house.data_dir / "admin.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert_result(await house.find("admin"), "ok", "nobody listens at")
        server.listen()
        assert_result(await house.find("admin"), "wrong", "is taken by another", "ss -lxp")
        with claim_instance(house.data_dir):
            assert_result(await house.find("admin"), "ok", "is the service's")
    path.unlink()
    path.touch()
    assert_result(await house.find("admin"), "wrong", "is no socket", "move it away")
    admin(house, f"unix:{'s' * 101}")
    assert_result(await house.find("admin"), "wrong", "too long a name", "a shorter path")


async def test_a_collector_is_connected_to_or_not(house: House, taken: int) -> None:
    tracing(house, f"http://127.0.0.1:{taken}")
    assert_result(await house.find("tracing"), "ok", "can be connected to")
    assert_result(await house.find("tracing", offline=True), "not checked", "--offline")
    by_proxy = await house.find("tracing", environ={"HTTP_PROXY": "http://p:1"})
    assert_result(by_proxy, "not checked", "by a proxy")
    tracing(house, "http://127.0.0.1:4317")
    assert_result(await house.find("tracing"), "advice", "speak gRPC", "port 4318")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        tracing(house, f"http://127.0.0.1:{free.getsockname()[1]}")
        told = await house.find("tracing")
    assert_result(told, "advice", "connection refused", "start the collector")
