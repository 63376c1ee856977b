"""Answers that the store could not take yet, on this machine's disk.

An answer is paid for when it arrives. While the database is away it would live in memory alone, and
a kill would have it bought again; so what has waited for a moment is written here, and published
from here by whoever runs with this `data_dir` next.

The file is a log of lines, each `CRC32 KIND JSON`: `answer` with a Finish, `done` with the id of a
request whose answer was published. It is emptied when nothing is left to be published. Appending is
durable when it returns (fsync); a `done` that gets lost only means that a request is ended twice,
which the journal takes for once.
"""

import os
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import trio
from pydantic import TypeAdapter, ValidationError

from nexus_actors.storage.ports import Finish, SpoolError

log = structlog.get_logger("nexus.spool")

_FINISH: TypeAdapter[Finish] = TypeAdapter(Finish)
_ID: TypeAdapter[str] = TypeAdapter(str)


@dataclass(frozen=True, slots=True)
class _Line:
    kind: str
    content: bytes


class FileSpool:
    """The answers of one `data_dir`. Made once in a process; whoever runs it owns the lock there.

    Reading happens when it is made. Raises SpoolError if the file cannot be read or written.
    """

    def __init__(self, file: Path, *, limit_bytes: int) -> None:
        self._file = file
        self._limit = limit_bytes
        self._kept: dict[str, Finish] = {}
        self._size = 0
        self._compact_at = limit_bytes // 2
        self._writing = trio.Lock()
        try:
            self._read()
        except OSError as error:
            raise SpoolError(f"cannot use {file}: {error.strerror}") from error

    def __contains__(self, request_id: str | None) -> bool:
        return request_id in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def unpublished(self) -> tuple[Finish, ...]:
        """The answers that are not known to be published, oldest first."""
        return tuple(self._kept.values())

    async def keep(self, answers: Sequence[Finish]) -> None:
        """See `AnswerSpool.keep`. Cancelled, they are written all the same."""
        async with self._writing:
            fresh = {
                it.request_id: it
                for it in answers
                if it.request_id is not None and it.request_id not in self._kept
            }
            text = b"".join(_line("answer", _FINISH.dump_json(it)) for it in fresh.values())
            if self._size + len(text) > self._limit:
                raise SpoolError(f"{self._file} has reached its limit of {self._limit} bytes")
            if fresh:
                await self._write(self._append, text, True)
                self._kept.update(fresh)

    async def discard(self, published: Collection[str]) -> None:
        """See `AnswerSpool.discard`."""
        async with self._writing:
            gone = [request_id for request_id in published if request_id in self._kept]
            for request_id in gone:
                del self._kept[request_id]
            if gone and self._kept and self._size >= self._compact_at:
                await self._write(self._compact)
            elif gone and self._kept:
                text = b"".join(_line("done", _ID.dump_json(request_id)) for request_id in gone)
                await self._write(self._append, text, False)
            elif gone:
                await self._write(self._empty)

    async def _write(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            await trio.to_thread.run_sync(function, *arguments)
        except OSError as error:
            raise SpoolError(f"cannot write {self._file}: {error.strerror}") from error

    def _append(self, text: bytes, durable: bool) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            left = memoryview(text)
            while left:  # a disk that is nearly full takes a part
                left = left[os.write(descriptor, left) :]
            if durable:
                os.fsync(descriptor)
                _sync_directory(self._file.parent)
        except OSError:
            os.ftruncate(descriptor, self._size)  # half a line would spoil the next one
            raise
        finally:
            os.close(descriptor)
        self._size += len(text)

    def _compact(self) -> None:
        """Leave only what is still kept; the old file stands until the new one is durable."""
        text = b"".join(_line("answer", _FINISH.dump_json(it)) for it in self._kept.values())
        draft = self._file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        draft.replace(self._file)
        _sync_directory(self._file.parent)
        self._size = len(text)
        self._compact_at = max(self._limit // 2, 2 * self._size)

    def _empty(self) -> None:
        os.truncate(self._file, 0)
        self._size = 0

    def _read(self) -> None:
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return
        for line in self._lines(content):
            try:
                if line.kind == "answer":
                    answer = _FINISH.validate_json(line.content)
                    self._kept[str(answer.request_id)] = answer
                elif line.kind == "done":
                    self._kept.pop(_ID.validate_json(line.content), None)
            except ValidationError as error:
                self._set_aside(line.content, f"{error.error_count()} fields are not as expected")
        self._size = self._file.stat().st_size
        if not self._kept and self._size:
            self._empty()
        if self._kept:
            log.warning("answers of an earlier run are to be published", answers=len(self._kept))

    def _lines(self, content: bytes) -> Iterator[_Line]:
        *lines, torn = content.split(b"\n")
        if torn:  # the process was killed while it wrote: that answer was never durable
            log.warning("the last line is cut short and left out", file=str(self._file))
            os.truncate(self._file, len(content) - len(torn))
        for line in lines:
            checksum, _, rest = line.partition(b" ")
            if checksum.decode("ascii", "replace") == _checksum(rest):
                kind, _, text = rest.partition(b" ")
                yield _Line(kind.decode("ascii"), text)
            else:
                self._set_aside(line, "its checksum is wrong")

    def _set_aside(self, line: bytes, why: str) -> None:
        """What cannot be read may be an answer all the same: it is kept for a person."""
        damaged = self._file.with_suffix(".damaged")
        with open(damaged, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(line + b"\n")
        log.error("a line cannot be read", file=str(self._file), kept_in=str(damaged), why=why)


def _line(kind: str, content: bytes) -> bytes:
    rest = kind.encode("ascii") + b" " + content
    return _checksum(rest).encode("ascii") + b" " + rest + b"\n"


def _checksum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _sync_directory(path: Path) -> None:
    """A new file is durable once its directory is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
