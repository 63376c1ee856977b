"""Databases that are not reached, or by a way that is none: `nexus doctor` tells one from another,
within its time."""

import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.doctor import database
from nexus_actors.doctor.examine import OF_DATABASE
from tests.doctors import House, assert_result
from tests.integration.storage.test_privileges import user
from tests.pooler import pooler
from tests.postgres import with_database
from tests.wire import open_wire

NAMES = [it.name for it in OF_DATABASE]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_pooler_of_transactions_is_told_apart_from_a_database_that_is_away(
    house: House, database_url: str
) -> None:
    async with pooler(database_url, "transaction") as url:
        house.configure(url=url)
        found = {it.check: it for it in await house.look(*NAMES)}
    assert_result(found["database"], "ok", "there is a pooler")
    assert_result(found["pooler"], "wrong", "gives each transaction", "pool_mode = session")
    assert_result(found["queue"], "not checked", "see pooler")
    async with pooler(database_url, "session") as url:
        house.configure(url=url)
        assert_result(await house.find("pooler"), "ok", "a session of its own")


async def _unknown(*_: Any) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


class _Resolver(trio.abc.HostnameResolver):
    async def getaddrinfo(self, *arguments: Any) -> Any:
        await _unknown(*arguments)

    async def getnameinfo(self, *arguments: Any) -> Any:
        await _unknown(*arguments)


class _Slow(_Resolver):
    async def getaddrinfo(self, *_: Any) -> Any:
        await trio.sleep_forever()


async def test_each_way_of_not_getting_there_has_its_own_fix(
    house: House, database_url: str
) -> None:
    nobody = user(database_url, "nobody_here")
    with socket.socket() as free, open_wire(database_url) as wire:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        ways = {
            f"postgresql://u:hunter2@127.0.0.1:{free.getsockname()[1]}/d": (
                "connection refused",
                "start PostgreSQL there",
            ),
            nobody: ('role "nobody_here" does not exist', "correct user and password"),
            with_database(database_url, "nowhere"): (
                'database "nowhere" does not exist',
                "CREATE DATABASE nowhere ENCODING 'UTF8'",
            ),
            f"{wire.url}?sslmode=require": ("TLS: the server offers none", "sslmode=disable"),
        }
        for url, expected in ways.items():
            house.configure(url=url)
            told, waits = await house.look("database", "queue")
            assert_result(told, "wrong", *expected)
            assert_result(waits, "not checked", "see database")
            assert "hunter2" not in repr(told)
    trio.socket.set_custom_hostname_resolver(_Resolver())
    try:
        house.configure(url="postgresql://u:hunter2@db.invalid,other.invalid/d")
        told = await house.find("database")
    finally:
        trio.socket.set_custom_hostname_resolver(None)
    assert_result(told, "wrong", "other.invalid:5432/d: the host's name", "getent hosts")


async def test_a_server_that_says_nothing_holds_up_nobody_else(
    house: House, database_url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        house.configure(url=f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d")
        with trio.fail_after(30):
            found = {it.check: it for it in await house.look(patience=0.2, offline=True)}
        assert_result(found["database"], "wrong", "has not answered within 0.2 s", "firewall")
        assert found["config"].verdict == "ok"
        house.configure(url="postgresql://u@db.invalid/d")
        trio.socket.set_custom_hostname_resolver(_Slow())
        try:
            with trio.fail_after(30):
                told = await house.find("database", patience=0.2)
        finally:
            trio.socket.set_custom_hostname_resolver(None)
    assert_result(told, "wrong", "db.invalid:5432/d has not answered", "firewall")


async def test_a_connection_that_dies_without_a_word_ends_the_look(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_STATEMENT", 0.2)
    with open_wire(database_url) as wire:
        house.configure(url=wire.url)

        async def forget(at: Any) -> Any:
            wire.forget()
            return await database.look_at_server(at)

        frozen = [database.Check("server", forget)]
        monkeypatch.setattr("nexus_actors.doctor.examine.OF_DATABASE", frozen)
        with trio.fail_after(60):
            told = await house.find("server")
    assert told.verdict == "wrong"
