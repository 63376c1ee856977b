"""The spool: answers that the store could not take yet, on this machine's disk.

An answer is paid for when it arrives. While the database is away, it would exist in memory only,
and a kill would cause a second, paid call. So an answer that has waited for a moment is written
here. If this process dies, the next service that runs with this `data_dir` publishes it.

The file is a log of lines, each `CRC32 KIND/VERSION JSON`: `answer` with a Finish, `done` with the
id of a request whose answer was published. It is emptied when nothing is left to publish. An append
is durable when it returns (fsync). A lost `done` only means that a request is ended twice, which
the journal counts once.
"""

import errno
import os
import stat
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, TypeVar

import structlog
import trio
from pydantic import TypeAdapter, ValidationError

from nexus_actors.storage.errors import SpoolError
from nexus_actors.storage.requests import Finish

log = structlog.get_logger("nexus.spool")

FILE: Final = "answers.spool"
"""The file's name in `data_dir`."""
VERSION = b"3"
"""The version of lines that are written."""
OLDER = (b"", b"2")
"""Versions of earlier releases, which can be read, too."""


@dataclass(frozen=True, slots=True)
class _Older:
    """How earlier releases wrote a failure. The result contains everything else they wrote."""

    dead_reason: str | None = None
    dead_detail: Mapping[str, object] | None = None


_OLDER: TypeAdapter[_Older] = TypeAdapter(_Older)
_FINISH: TypeAdapter[Finish] = TypeAdapter(Finish)
_ID: TypeAdapter[str] = TypeAdapter(str)

RENAMED = ((b'"spared":', b'"uncounted":'), (b'"spared_count":', b'"uncounted_count":'))
"""Keys of earlier releases. An answer's text cannot contain them, since its quotes are escaped."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Line:
    kind: bytes
    version: bytes
    content: bytes


class AnswerSpool(Protocol):
    """Answers that are kept on this machine's disk until the store has them."""

    def __contains__(self, request_id: str | None) -> bool:
        """Whether the answer to this request is spooled."""
        ...

    def __len__(self) -> int:
        """How many answers are spooled."""
        ...

    def unpublished(self) -> Sequence[Finish]:
        """The spooled answers, oldest first. At the start, those of an earlier process."""
        ...

    async def keep(self, answers: Sequence[Finish]) -> None:
        """Spool these answers durably, except those without a request id. Raises `SpoolError` if
        some could not be; `in` tells which ones are."""
        ...

    async def discard(self, published: Collection[str]) -> None:
        """Drop the answers to these requests: they are published. Raises `SpoolError`."""
        ...


class FileSpool:
    """The spool of one `data_dir`. Made once per process, which holds the lock of that directory.

    It reads the file when it is made. Raises SpoolError if the file cannot be read or written, or
    does not belong to this user.
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

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._size

    def unpublished(self) -> tuple[Finish, ...]:
        """See `AnswerSpool.unpublished`."""
        return tuple(self._kept.values())

    async def keep(self, answers: Sequence[Finish]) -> None:
        """See `AnswerSpool.keep`. If this is cancelled, the answers are still written."""
        async with self._writing:
            fresh = {
                it.request_id: it
                for it in answers
                if it.request_id is not None and it.request_id not in self._kept
            }
            if not fresh:
                return
            kept, problem = await self._write(self._append_answers, fresh)
            self._kept.update({request_id: fresh[request_id] for request_id in kept})
            if problem is not None:
                raise SpoolError(f"{len(fresh) - len(kept)} answers not kept: {problem}")

    async def discard(self, published: Collection[str]) -> None:
        """See `AnswerSpool.discard`."""
        async with self._writing:
            gone = [request_id for request_id in published if request_id in self._kept]
            for request_id in gone:
                del self._kept[request_id]
            if gone and self._kept and self._size >= self._compact_at:
                await self._write(self._compact)
            elif gone and self._kept:
                await self._write(self._append_done, gone)
            elif gone:
                await self._write(self._truncate, 0)

    async def _write(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            return await trio.to_thread.run_sync(function, *arguments)
        except OSError as error:
            raise SpoolError(f"cannot write {self._file}: {error.strerror}") from error

    def _append_answers(self, answers: Mapping[str, Finish]) -> tuple[list[str], str | None]:
        """Append what the limit and the disk allow, durably. Returns the request ids that were
        written, and why the others were not."""
        kept: list[str] = []
        problem = None
        with self._appending() as descriptor:
            size = self._size
            for request_id, answer in answers.items():
                try:
                    line = _line(b"answer", _FINISH.dump_json(answer))
                except ValueError:
                    problem = "it holds what JSON cannot hold"
                    continue
                if size + len(line) > self._limit:
                    problem = f"{self._file} has reached its limit of {self._limit} bytes"
                    continue  # a smaller one may fit
                try:
                    _write_all(descriptor, line)
                except OSError as error:
                    os.ftruncate(descriptor, size)  # half a line would spoil the next one
                    problem = f"cannot write {self._file}: {error.strerror}"
                    break
                size += len(line)
                kept.append(request_id)
            self._sync(descriptor)
        self._size = size
        return kept, problem

    def _append_done(self, request_ids: Iterable[str]) -> None:
        text = b"".join(_line(b"done", _ID.dump_json(request_id)) for request_id in request_ids)
        with self._appending() as descriptor:
            try:
                _write_all(descriptor, text)
            except OSError:
                os.ftruncate(descriptor, self._size)
                raise
        self._size += len(text)

    @contextmanager
    def _appending(self) -> Iterator[int]:
        """Open the file for appending. If a failed write left a partial line that could not be
        removed then, it is removed now, or else terminated, so that it stays a line of its own.
        """
        with _opened(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as descriptor:
            end = os.fstat(descriptor).st_size
            if end > self._size:
                try:
                    os.ftruncate(descriptor, self._size)
                except OSError:
                    _write_all(descriptor, b"\n")
                    self._size = end + 1
            yield descriptor

    def _sync(self, descriptor: int) -> None:
        """Make the appended lines durable, or remove them again if that fails."""
        try:
            os.fsync(descriptor)
            _sync_directory(self._file.parent)
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise

    def _compact(self) -> None:
        """Rewrite the file with unpublished answers only. The old file stays until the new one is
        durable."""
        draft = self._file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        size = 0
        with _opened(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
            for answer in self._kept.values():
                line = _line(b"answer", _FINISH.dump_json(answer))
                _write_all(descriptor, line)
                size += len(line)
            os.fsync(descriptor)
        draft.replace(self._file)
        _sync_directory(self._file.parent)
        self._size = size
        self._compact_at = max(self._limit // 2, 2 * size)

    def _truncate(self, size: int) -> None:
        with _opened(self._file, os.O_WRONLY) as descriptor:
            os.ftruncate(descriptor, size)
        self._size = size

    def _read(self) -> None:
        try:
            with _opened(self._file, os.O_RDONLY) as descriptor:
                self._size = os.fstat(descriptor).st_size
                for text in self._whole_lines(descriptor):
                    self._take(text)
        except FileNotFoundError:
            return
        if not self._kept and self._size:
            self._truncate(0)
        if self._kept:
            log.warning("answers of an earlier run are to be published", answers=len(self._kept))

    def _whole_lines(self, descriptor: int) -> Iterator[bytes]:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            for text in file:
                if text.endswith(b"\n"):
                    yield text[:-1]
                else:  # the process was killed while it wrote: that answer was never durable
                    log.warning("the last line is cut short and left out", file=str(self._file))
                    self._truncate(self._size - len(text))

    def _take(self, text: bytes) -> None:
        """Apply one line. Whatever its bytes are, this raises nothing but OSError."""
        if not text:  # terminates what a failed write has left
            return
        line = _parsed(text)
        if isinstance(line, str):
            self._set_aside(text, line)
            return
        try:
            if line.kind == b"answer":
                answer = _answer(line)
                if answer.request_id is None:
                    self._set_aside(text, "it is the answer to nothing")
                else:
                    self._kept[answer.request_id] = answer
            else:
                self._kept.pop(_ID.validate_json(line.content), None)
        except ValidationError as error:
            self._set_aside(text, f"{error.error_count()} fields are not as expected")

    def _set_aside(self, line: bytes, why: str) -> None:
        """Keep a line that cannot be read, for a person to look at: it may be an answer."""
        damaged = self._file.with_suffix(".damaged")
        with _opened(damaged, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as descriptor:
            _write_all(descriptor, line + b"\n")
        log.error("a line cannot be read", file=str(self._file), kept_in=str(damaged), why=why)


def count_kept(file: Path) -> int:
    """How many unpublished answers a spool has whose service is not running. Changes nothing.
    Raises OSError."""
    kept: set[str] = set()
    with _opened(file, os.O_RDONLY) as descriptor, os.fdopen(os.dup(descriptor), "rb") as lines:
        for text in lines:
            line = _parsed(text[:-1])
            if isinstance(line, str) or not text.endswith(b"\n"):
                continue
            try:
                if line.kind == b"done":
                    kept.discard(_ID.validate_json(line.content))
                elif (request_id := _answer(line).request_id) is not None:
                    kept.add(request_id)
            except ValidationError:
                continue
    return len(kept)


@contextmanager
def _opened(file: Path, flags: int) -> Iterator[int]:
    """Open a regular file of our own, never a link: a user who can write to the spool's directory
    must not make us write to, or publish, a file elsewhere. Raises OSError.
    """
    # O_NONBLOCK: do not wait for the other end if it is a pipe.
    descriptor = os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if found.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "another user's file")
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, text: bytes) -> None:
    left = memoryview(text)
    while left:  # a nearly full disk may take only a part
        left = left[os.write(descriptor, left) :]


def _line(kind: bytes, content: bytes) -> bytes:
    rest = kind + b"/" + VERSION + b" " + content
    return _checksum(rest) + b" " + rest + b"\n"


def _parsed(text: bytes) -> _Line | str:
    """Parse a line, or return why it cannot be parsed."""
    checksum, _, rest = text.partition(b" ")
    if checksum != _checksum(rest):
        return "its checksum is wrong"
    name, _, content = rest.partition(b" ")
    kind, _, version = name.partition(b"/")
    if kind not in (b"answer", b"done") or version not in (*OLDER, VERSION):
        return "another release wrote it"
    return _Line(kind, version, content)


def _answer(line: _Line) -> Finish:
    """Decode an answer of any version. Raises ValidationError."""
    content = line.content
    if line.version in OLDER:
        for before, now in RENAMED:
            content = content.replace(before, now)
    answer = _FINISH.validate_json(content)
    if line.version in OLDER:
        older = _OLDER.validate_json(line.content)
        if older.dead_reason is not None:
            failure = {**(older.dead_detail or {}), "type": older.dead_reason}
            return replace(answer, failure=failure)
    return answer


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)


def _sync_directory(path: Path) -> None:
    """A new file is durable once its directory is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
