"""Answers on this machine's disk: whole, once, and none lost for a neighbour's damage."""

import os
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nexus_actors.storage.errors import SpoolError
from nexus_actors.storage.requests import Attempt, Finish, Lease, Step
from nexus_actors.storage.spool import FileSpool, count_kept

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def answer(number: int, **changes: Any) -> Finish:
    attempt = Attempt(
        number=1,
        provider="p",
        model="m",
        outcome="ok",
        status_code=200,
        duration_ms=7,
        cost=0.1,
        error=None,
        started_at=NOW,
        dropped=("seed",),
    )
    fields: dict[str, Any] = {
        "lease": Lease(number, 1),
        "request_id": f"r-{number}",
        "result": '{"response": "Grüße\\u2028\\n"}',
        "attempts": [attempt],
        "steps": [Step(name="validate", outcome="ok", at=NOW, detail={"a": [1]})],
    }
    return Finish(**(fields | changes))


def opened(folder: Path, limit_bytes: int = 2**20) -> FileSpool:
    return FileSpool(folder / "answers.spool", limit_bytes=limit_bytes)


def ids(spool: FileSpool) -> Sequence[str | None]:
    return [it.request_id for it in spool.unpublished()]


async def test_what_is_kept_is_there_at_the_next_start_as_it_was(tmp_path: Path) -> None:
    failed = answer(2, failure={"type": "timeout"}, journal="{}")
    await opened(tmp_path).keep([answer(1), failed])
    assert opened(tmp_path).unpublished() == (answer(1), failed)
    assert (tmp_path / "answers.spool").stat().st_mode & 0o777 == 0o600


def checked(content: bytes) -> bytes:
    """A line whose checksum is right."""
    return b"%08x %b" % (zlib.crc32(content), content)


ATTEMPT = (
    '"attempts":[{"number":1,"provider":"p","model":"m","outcome":"ok","status_code":200,'
    '"duration_ms":7,"cost":0.1,"error":null,"started_at":"2026-01-02T03:04:05Z",'
    '"dropped":["seed"],"spared":true}],"spared_count":1'
)
STEPS = (
    '"steps":[{"name":"validate","outcome":"ok","at":"2026-01-02T03:04:05Z","detail":{"a":[1]}}]'
)
RESULT = r'"result":"{\"response\": \"Grüße\\u2028\\n\"}"'
OLDER = {
    "answer": '"lease":{"msg_id":1,"read_ct":1},"request_id":"r-1","succeeded":true,'
    '"dead_reason":null,"dead_detail":null,"agent_id":"a","cost":0.1,"prompt_tokens":3',
    "answer/2": '"lease":{"msg_id":2,"read_ct":1},"request_id":"r-2","succeeded":false,'
    '"dead_reason":"timeout","dead_detail":{"message":"late"},"cost":null,"cost_basis":null',
}


def uncounted(end: Finish) -> Finish:
    """With an attempt that does not count."""
    attempts = [replace(it, uncounted=True) for it in end.attempts]
    return replace(end, attempts=attempts, uncounted_count=1)


async def test_what_older_releases_kept_is_read(tmp_path: Path) -> None:
    """They wrote twice what the result says, and knew nothing of `cost_basis` at first."""
    lines = [
        f"{kind} {{{told},{RESULT},{ATTEMPT},{STEPS}}}".encode() for kind, told in OLDER.items()
    ]
    (tmp_path / "answers.spool").write_bytes(b"".join(checked(line) + b"\n" for line in lines))
    failed = answer(2, failure={"message": "late", "type": "timeout"})
    assert opened(tmp_path).unpublished() == (uncounted(answer(1)), uncounted(failed))


async def test_what_is_kept_twice_stands_once(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    await spool.keep([answer(1), answer(1)])
    size = (tmp_path / "answers.spool").stat().st_size
    await spool.keep([answer(1)])
    assert (tmp_path / "answers.spool").stat().st_size == size
    assert "r-1" in spool
    assert len(spool) == 1


async def test_what_was_published_is_not_kept_and_an_empty_spool_takes_no_room(
    tmp_path: Path,
) -> None:
    spool = opened(tmp_path)
    await spool.keep([answer(1), answer(2)])
    await spool.discard(["r-1", "never kept"])
    assert ids(spool) == ids(opened(tmp_path)) == ["r-2"]
    await spool.discard(["r-2"])
    assert (tmp_path / "answers.spool").stat().st_size == 0
    await spool.keep([answer(1)])  # the same request, sent again
    assert ids(opened(tmp_path)) == ["r-1"]


async def test_an_answer_without_a_request_id_cannot_be_kept(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    await spool.keep([answer(1, request_id=None, result=None)])
    assert len(spool) == 0


async def test_a_line_cut_short_by_a_kill_is_left_out_and_the_next_one_is_whole(
    tmp_path: Path,
) -> None:
    await opened(tmp_path).keep([answer(1), answer(2)])
    file = tmp_path / "answers.spool"
    os.truncate(file, file.stat().st_size - 5)
    spool = opened(tmp_path)
    assert ids(spool) == ["r-1"]
    await spool.keep([answer(3)])
    assert ids(opened(tmp_path)) == ["r-1", "r-3"]


@pytest.mark.parametrize("damage", [(b"Gr\xc3", b"Xr\xc3"), (b'"result"', b'"resul_"')])
async def test_a_damaged_line_is_set_aside_and_harms_no_other(
    tmp_path: Path, damage: tuple[bytes, bytes]
) -> None:
    await opened(tmp_path).keep([answer(1), answer(2)])
    file = tmp_path / "answers.spool"
    file.write_bytes(file.read_bytes().replace(*damage, 1))
    assert ids(opened(tmp_path)) == ["r-2"]
    assert b"r-1" in (tmp_path / "answers.damaged").read_bytes()
    assert (tmp_path / "answers.damaged").stat().st_mode & 0o777 == 0o600


async def test_it_has_a_limit_that_is_reported(tmp_path: Path) -> None:
    spool = opened(tmp_path, limit_bytes=1000)
    await spool.keep([answer(1)])
    with pytest.raises(SpoolError, match="limit of 1000 bytes"):
        await spool.keep([answer(2), answer(3)])
    assert ids(spool) == ids(opened(tmp_path)) == ["r-1"]


async def test_a_disk_that_takes_nothing_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    spool = opened(folder)
    folder.rmdir()
    with pytest.raises(SpoolError, match="No such file"):
        await spool.keep([answer(1)])
    assert "r-1" not in spool


async def test_a_disk_that_takes_a_part_at_a_time_gets_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, bytes(data[:100])))
    await opened(tmp_path).keep([answer(1), answer(2)])
    monkeypatch.undo()
    assert ids(opened(tmp_path)) == ["r-1", "r-2"]


def test_a_file_that_cannot_be_read_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "answers.spool").mkdir()
    with pytest.raises(SpoolError, match=r"cannot use .*answers\.spool: Is a directory"):
        opened(tmp_path)


async def test_one_answer_that_stays_does_not_let_the_file_grow_to_its_limit(
    tmp_path: Path,
) -> None:
    spool = opened(tmp_path, limit_bytes=20_000)
    await spool.keep([answer(0)])
    for number in range(1, 200):  # many times what the file may take
        await spool.keep([answer(number)])
        await spool.discard([f"r-{number}"])
    assert (tmp_path / "answers.spool").stat().st_size < 20_000
    assert (tmp_path / "answers.spool").stat().st_mode & 0o777 == 0o600
    assert ids(opened(tmp_path)) == ["r-0"]
    assert opened(tmp_path).unpublished() == (answer(0),)


async def test_what_fits_of_a_batch_is_kept_and_the_rest_is_reported(tmp_path: Path) -> None:
    spool = opened(tmp_path, limit_bytes=2000)
    large = answer(2, result="x" * 5000)
    with pytest.raises(SpoolError, match="1 answers not kept"):
        await spool.keep([answer(1), large, answer(3)])
    assert ids(spool) == ids(opened(tmp_path)) == ["r-1", "r-3"]


async def test_of_a_disk_that_is_full_what_was_written_whole_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, left = os.write, 1500

    def write(descriptor: int, data: bytes) -> int:
        nonlocal left
        if left == 0:
            raise OSError(28, "No space left on device")
        written = whole(descriptor, bytes(data[:left]))
        left -= written
        return written

    spool = opened(tmp_path)
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(SpoolError, match="No space left"):
        await spool.keep([answer(number) for number in range(10)])
    monkeypatch.undo()
    assert ids(spool) == ids(opened(tmp_path))
    assert 0 < len(spool) < 10


@pytest.mark.parametrize("repaired", [True, False])
async def test_half_a_line_that_could_not_be_taken_off_again_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repaired: bool
) -> None:
    whole, writes = os.write, 0

    def half(descriptor: int, data: bytes) -> int:
        nonlocal writes
        writes += 1
        if writes % 2 == 0:
            raise OSError(5, "Input/output error")
        return whole(descriptor, bytes(data[: len(data) // 2]))

    def broken(descriptor: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    spool = opened(tmp_path)
    await spool.keep([answer(1), answer(2)])
    for number, what in enumerate(
        (lambda: spool.keep([answer(9)]), lambda: spool.discard(["r-1"]))
    ):
        monkeypatch.setattr(os, "write", half)
        monkeypatch.setattr(os, "ftruncate", broken)
        with pytest.raises(SpoolError, match="Input/output"):
            await what()
        monkeypatch.undo()
        if not repaired:
            monkeypatch.setattr(os, "ftruncate", broken)
        await spool.keep([answer(3 + number)])
        monkeypatch.undo()
    assert ids(opened(tmp_path)) == ["r-1", "r-2", "r-3", "r-4"]  # r-1 twice is r-1 once
    damaged = tmp_path / "answers.damaged"
    with (tmp_path / "answers.spool").open("ab") as file:
        file.write(b"\n")  # what has ended what was whole
    assert len(opened(tmp_path)) == 4
    assert not damaged.exists() if repaired else b"\n\n" not in damaged.read_bytes()


async def test_one_that_json_cannot_hold_is_reported_and_harms_no_other(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    with pytest.raises(SpoolError, match="JSON"):
        await spool.keep([answer(1, journal="\ud800"), answer(2)])
    assert ids(spool) == ids(opened(tmp_path)) == ["r-2"]


@pytest.mark.parametrize("name", ["answers.spool", "answers.damaged"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
async def test_no_link_is_followed_and_no_pipe_waited_for(
    tmp_path: Path, name: str, kind: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    if name == "answers.damaged":
        (tmp_path / "answers.spool").write_bytes(b"damaged\n")
    if kind == "link":
        (tmp_path / name).symlink_to(elsewhere)
    else:
        os.mkfifo(tmp_path / name)
    with pytest.raises(SpoolError, match="cannot use"):
        opened(tmp_path)
    assert elsewhere.read_bytes() == b""


async def test_a_link_that_takes_the_files_place_is_not_written_to(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    await spool.keep([answer(1)])
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "answers.spool").rename(elsewhere)
    (tmp_path / "answers.spool").symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    with pytest.raises(SpoolError):
        await spool.keep([answer(2)])
    with pytest.raises(SpoolError):
        await spool.discard(["r-1"])
    assert elsewhere.read_bytes() == before


LINES = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(checked),
    st.tuples(
        st.sampled_from(
            [b"answer/2", b"answer", b"done/3", b"done", b"answer/3", b"answer/4", b"\xff/2"]
        ),
        st.one_of(
            st.binary(max_size=30), st.sampled_from([b"[]", b"null", b'"r-1"', b"[" * 3000, b"1"])
        ),
    ).map(lambda parts: checked(b" ".join(parts))),
)


@settings(max_examples=150)
@given(st.lists(LINES, max_size=4))
@example([checked(b"\xff\xfe x")])
@example([checked(b"answer/2 " + b"[" * 100_000)])
@example([checked(b'done/2 "\\ud800"')])
def test_a_line_of_whatever_bytes_is_set_aside_or_read_and_harms_no_other(
    lines: list[bytes],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trio.run(opened(folder).keep, [answer(9)])
        file = folder / "answers.spool"
        file.write_bytes(b"".join(line + b"\n" for line in lines) + file.read_bytes())
        spool = opened(folder)
        assert ids(spool) == ["r-9"]
        trio.run(spool.keep, [answer(10)])
        assert ids(opened(folder)) == ["r-9", "r-10"]


async def test_what_is_kept_is_counted_by_others_and_left_as_it_is(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    await spool.keep([answer(1), answer(2), answer(3)])
    await spool.discard([str(answer(2).request_id)])
    file = tmp_path / "answers.spool"
    whole = file.read_bytes() + b"no line of ours\n00000000 answer/3 {}\n"
    file.write_bytes(whole + file.read_bytes()[:20])
    before = file.read_bytes()
    assert count_kept(file) == 2
    assert file.read_bytes() == before
