"""Broken hosts and folders, and what `nexus doctor` says of each."""

import os
import resource
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from nexus_actors.doctor import config, host, limits
from nexus_actors.operations.instance import claim_instance
from nexus_actors.storage.spool import FileSpool
from tests.doctors import House, assert_result
from tests.unit.cli.test_service import answering
from tests.unit.storage.test_spool import answer

IN_DATA_DIR = ("data_dir", "disk", "service", "spool")
OF_HOST = [it.name for it in (*host.CHECKS, *limits.CHECKS, *config.CHECKS)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.configure(spool_megabytes=1)
    return house


async def test_a_host_as_it_should_be_is_said_to_be_well(house: House) -> None:
    house.data_dir.mkdir(mode=0o700)
    found = await house.look(*OF_HOST)
    assert {it.check for it in found} == set(OF_HOST)
    assert {it.verdict for it in found} == {"ok"}, found


async def test_a_folder_that_is_none_or_is_open_is_told(house: House) -> None:
    house.data_dir.write_text("")
    told = await house.find("data_dir")
    assert_result(told, "wrong", f"{house.data_dir} is a file", "give another [service] data_dir")
    house.data_dir.unlink()
    house.data_dir.mkdir(mode=0o755)
    told = await house.find("data_dir")
    assert_result(told, "advice", "is open to others (mode 755)", f"chmod 700 {house.data_dir}")


async def test_another_user_is_told_what_it_cannot_see(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.data_dir.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    for name in IN_DATA_DIR:
        assert_result(await house.find(name), "not checked", "is another user", "sudo -u ")
    stat = Path.stat

    def closed(path: Path, **options: Any) -> Any:
        if path == house.data_dir:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", closed)
    for name in IN_DATA_DIR:
        assert_result(await house.find(name), "not checked", "a folder above", "or as root")


async def test_a_config_that_another_user_may_not_read_is_not_called_wrong(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.file.write_text("not TOML")
    assert_result(await house.find("config"), "wrong", "no TOML", "expected a = between")
    monkeypatch.setattr(os, "access", lambda *_: False)
    told = await house.find("config")
    assert_result(told, "not checked", f"{house.file} is closed to this user", "as root")


async def test_what_the_system_does_not_show_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> Any:
        raise OSError(5, "Input/output error", "/var/lib/nexus")

    monkeypatch.setattr("shutil.disk_usage", broken)
    told = await house.find("disk")
    assert_result(told, "wrong", "/var/lib/nexus: input/output error", "--only disk")


async def test_what_another_user_may_not_see_says_nothing_of_the_service(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: object) -> Any:
        raise PermissionError(13, "Permission denied", "/var/lib/nexus")

    monkeypatch.setattr("shutil.disk_usage", closed)
    told = await house.find("disk")
    assert_result(told, "not checked", "/var/lib/nexus: permission denied")


class _Usage(NamedTuple):
    free: int


async def test_a_disk_that_is_full_before_the_spool_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.configure(spool_megabytes=256)
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage(100 * 2**20))
    told = await house.find("disk")
    assert_result(told, "advice", "100 MB are free", "spool_megabytes to 50")
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Usage(2**20))
    assert_result(await house.find("disk"), "wrong", "1 MB are free", "make room")


async def test_answers_that_were_left_behind_are_told(house: House) -> None:
    house.data_dir.mkdir(mode=0o700)
    spool = FileSpool(house.data_dir / "answers.spool", limit_bytes=2**20)
    await spool.keep([answer(1), answer(2)])
    told = await house.find("spool")
    assert_result(told, "advice", "2 answers in", "nexus start with this data_dir")
    damaged = house.data_dir / "answers.damaged"
    damaged.write_text("?")
    _, told = await house.look("spool")
    assert_result(told, "advice", "could not be read", f"less {damaged}")
    damaged.unlink()
    with claim_instance(house.data_dir):
        assert_result(await house.find("spool"), "ok", "a service runs")


async def test_a_lock_that_a_killed_service_left_binds_nobody(house: House) -> None:
    house.data_dir.mkdir(mode=0o700)
    (house.data_dir / "nexus.lock").write_text("4711\n")
    assert_result(await house.find("service"), "ok", "its lock binds nobody")


async def test_a_lock_that_something_else_wrote_into_is_read_all_the_same(house: House) -> None:
    house.data_dir.mkdir(mode=0o700)
    (house.data_dir / "nexus.lock").write_bytes(b"\xff\xfe")
    assert_result(await house.find("service"), "ok", "its lock binds nobody")


async def test_a_check_that_crashes_costs_no_other_finding(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> Any:
        raise ExceptionGroup("several", [KeyError("hunter2")])

    monkeypatch.setattr("shutil.disk_usage", crash)
    monkeypatch.setattr("nexus_actors.doctor.database.running_pid", crash)
    house.data_dir.mkdir(mode=0o700)
    found = {it.check: it for it in await house.look("disk", "socket", "database", "queue")}
    for name in ("disk", "database", "queue"):
        assert_result(found[name], "wrong", "this check crashed: KeyError", "report it")
    assert found["socket"].verdict == "ok"
    assert "hunter2" not in repr(found)


async def test_a_service_that_is_not_well_is_told_by_its_own_word(
    house: House, tmp_path: Path
) -> None:
    with claim_instance(house.data_dir) as instance:
        told = await house.find("service")
        assert_result(told, "wrong", "is starting or stopping", "the check nodes says which")
        assert_result(told, "wrong", "", "A second SIGTERM would cut off calls")
        assert "calls end first, for up to" in told.leads_to
        assert "kill" not in told.fix
        instance.wait_for("it waits for the database: connection refused")
        told = await house.find("service")
        assert_result(told, "wrong", "has not started: it waits for the database")
        instance.wait_for(None)
        outage = {"keys of openai": {"error": "every key is suspended", "seconds": 7}}
        with answering(house.data_dir, {"state": "degraded", "outages": outage}):
            told = await house.find("service")
        (house.data_dir / "control.sock").unlink()
        away = {it: {"error": "no database", "seconds": 7} for it in ("Steering", "Heartbeat")}
        with answering(house.data_dir, {"state": "degraded", "outages": away}):
            same = await house.find("service")
        (house.data_dir / "control.sock").unlink()
        with answering(house.data_dir, {"state": "degraded"}):
            assert_result(await house.find("service"), "wrong", "is degraded: it does not say why")
        (house.data_dir / "control.sock").unlink()
        with answering(house.data_dir, {"state": "ready"}):
            assert_result(await house.find("service"), "ok", "ready")
    assert_result(same, "wrong", "no database")
    assert same.finding.subject == "Steering, Heartbeat"
    assert_result(told, "wrong", "is degraded: every key is suspended", "nexus status")
    assert told.finding.subject == "keys of openai"


async def test_a_name_too_long_for_a_socket_is_told(house: House, tmp_path: Path) -> None:
    house.data_dir = tmp_path / ("d" * 100)
    house.configure()
    told = await house.find("socket")
    assert_result(told, "advice", "too long a name for a socket", "with a shorter name")


async def test_too_few_files_or_too_little_memory_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (128, 128))
    house.configure(
        '[providers.e]\nkind = "echo"\npool_size = 300\n[[routes]]\nmodels = ["e/m"]\n'
        "[queue]\nmemory_megabytes = 4096\n"
    )
    monkeypatch.setattr(limits, "available", lambda: limits.Memory(2**31, "on this machine"))
    files, memory = await house.look("open_files", "memory")
    assert_result(
        files,
        "wrong",
        "377 files may be open at once, and the limit here is 128",
        "LimitNOFILE=754",
    )
    assert_result(
        memory, "advice", "2048 MB are available on this machine", "memory_megabytes = 1944"
    )


def test_a_control_groups_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8192 kB\n")
    assert limits.available(tmp_path) == limits.Memory(8192 * 1024, "on this machine")
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("3000\n")
    (group / "memory.current").write_text("1000\n")
    assert limits.available(tmp_path) == limits.Memory(2000, "to this control group")
    (group / "memory.max").write_text("max\n")
    assert limits.available(tmp_path) == limits.Memory(8192 * 1024, "on this machine")
    assert limits.available(tmp_path / "nowhere") is None


async def test_packages_that_are_too_old_are_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = config.version
    monkeypatch.setattr(config, "version", lambda it: "0.0.1" if it == "trio" else real(it))
    told = await house.find("packages")
    assert_result(
        told, "wrong", "trio is 0.0.1, and 0.30 or newer is asked for", "requirements.lock"
    )


@pytest.mark.parametrize(
    ("found", "least", "enough"),
    [
        ("1.10", "1.9", True),
        ("1.9.3", "1.10", False),
        ("2", "2.0.0", True),
        ("2026.10.1", "2026.10", True),
        ("0.65rc1", "0.65", True),
        ("?", "1", False),
    ],
)
def test_versions_are_compared_by_their_numbers(found: str, least: str, enough: bool) -> None:
    assert config.is_enough(found, least) == enough


async def test_a_file_system_that_hangs_holds_up_nobody_else(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread is left to itself."""
    hung = threading.Event()

    def hang(*_: Any) -> Any:
        hung.wait()

    house.data_dir.mkdir(mode=0o700)
    monkeypatch.setattr("shutil.disk_usage", hang)
    monkeypatch.setattr("nexus_actors.doctor.database.running_pid", hang)
    names = ("database", "disk", "socket")
    try:
        with trio.fail_after(30):
            found = {it.check: it for it in await house.look(*names, patience=0.2)}
    finally:
        hung.set()
    assert_result(found["database"], "wrong", "the database has not answered within 0.2 s")
    assert_result(found["disk"], "wrong", "no answer within 0.2 s", "--only disk")
    assert found["socket"].verdict == "ok"
