"""Answers that the store could not take yet, on this machine's disk.

An answer is paid for when it arrives. While the database is away, the answer would exist in memory
only, and a kill would cause a second, paid call. So an answer that has waited for a moment is
written here, and the next service that runs with this `data_dir` publishes it.

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
"""In data_dir."""
VERSION = b"3"
"""Of the lines that are written."""
OLDER = (b"", b"2")
"""Those of earlier releases, which are read as well."""


@dataclass(frozen=True, slots=True)
class _Older:
    """What earlier releases wrote of a failure. What else they wrote, the result says too."""

    dead_reason: str | None = None
    dead_detail: Mapping[str, object] | None = None


_OLDER: TypeAdapter[_Older] = TypeAdapter(_Older)
_FINISH: TypeAdapter[Finish] = TypeAdapter(Finish)
_ID: TypeAdapter[str] = TypeAdapter(str)

RENAMED = ((b'"spared":', b'"uncounted":'), (b'"spared_count":', b'"uncounted_count":'))
"""Keys of earlier releases. No text of an answer reads so, for its quotes are escaped."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Line:
    kind: bytes
    version: bytes
    content: bytes


class AnswerSpool(Protocol):
    """Answers that are durable on this machine until the store has them."""

    def __contains__(self, request_id: str | None) -> bool:
        """Whether the answer to this request is kept."""
        ...

    def __len__(self) -> int:
        """How many are kept."""
        ...

    def unpublished(self) -> Sequence[Finish]:
        """What is kept, oldest first: at first that of an earlier process."""
        ...

    async def keep(self, answers: Sequence[Finish]) -> None:
        """Make these durable, those of requests with an id. Raises `SpoolError` if some could not
        be; those that are, are in it (`in`)."""
        ...

    async def discard(self, published: Collection[str]) -> None:
        """The answers to these requests need not be kept any longer. Raises `SpoolError`."""
        ...


class FileSpool:
    """The answers of one `data_dir`. Made once in a process; whoever runs it owns the lock there.

    Reading happens when it is made. Raises SpoolError if the file cannot be read or written, or is
    none of our own.
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
        """Bytes that its file takes."""
        return self._size

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
        """Append what the limit and the disk take, durably: whose that is, and why not the rest."""
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
        """Where the next line begins. What a write that failed has left, and could not be taken off
        then, is taken off now; else it gets a line of its own.
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
        """Make durable what was appended; what may not be is taken off again."""
        try:
            os.fsync(descriptor)
            _sync_directory(self._file.parent)
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise

    def _compact(self) -> None:
        """Leave only what is still kept; the old file stands until the new one is durable."""
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
        """Note what one line says. Of whatever bytes, it raises no more than OSError."""
        if not text:  # ends what a write that failed has left
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
        """What cannot be read may be an answer all the same: it is kept for a person."""
        damaged = self._file.with_suffix(".damaged")
        with _opened(damaged, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as descriptor:
            _write_all(descriptor, line + b"\n")
        log.error("a line cannot be read", file=str(self._file), kept_in=str(damaged), why=why)


def count_kept(file: Path) -> int:
    """How many answers in a spool that nobody runs are to be published. Nothing in it is changed.
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
    """A regular file of our own, no link to another: who can write into the folder of the spool
    shall not have us write, or publish, what is elsewhere. Raises OSError.
    """
    # Not to wait for who opens the other end of a pipe.
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
    while left:  # a disk that is nearly full takes a part
        left = left[os.write(descriptor, left) :]


def _line(kind: bytes, content: bytes) -> bytes:
    rest = kind + b"/" + VERSION + b" " + content
    return _checksum(rest) + b" " + rest + b"\n"


def _parsed(text: bytes) -> _Line | str:
    """A line, or why it is none."""
    checksum, _, rest = text.partition(b" ")
    if checksum != _checksum(rest):
        return "its checksum is wrong"
    name, _, content = rest.partition(b" ")
    kind, _, version = name.partition(b"/")
    if kind not in (b"answer", b"done") or version not in (*OLDER, VERSION):
        return "another release wrote it"
    return _Line(kind, version, content)


def _answer(line: _Line) -> Finish:
    """Raises ValidationError."""
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
