"""What keeps a unit from working: what its user cannot see, or cannot read."""

import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from nexus_actors.operations.systemd_unit import STATE, Unit

_PLAIN: Final = re.compile(r"/[A-Za-z0-9_./@+-]*")
"""Paths that mean the same in every setting of a unit."""
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_HIDDEN: Final = {
    Path("/home"): "ProtectHome",
    Path("/root"): "ProtectHome",
    Path("/run/user"): "ProtectHome",
    Path("/tmp"): "PrivateTmp",  # noqa: S108 - a place that is asked about, not used
    Path("/var/tmp"): "PrivateTmp",  # noqa: S108
}
"""Folders that are empty in the service's eyes, and why."""
_MOST_LINKS: Final = 40
_MOST_OF_SCRIPT: Final = 4096
"""Bytes that are read of the executable, which says on its first line what runs it."""


def wrong_names(unit: Unit) -> Iterator[str]:
    """What cannot be written into a unit as it is."""
    for what, path in (("executable", unit.executable), ("config", unit.config)):
        if not _PLAIN.fullmatch(str(path)) or ".." in path.parts:
            yield (
                f"the {what} {path}: expected an absolute path of letters, digits and any of _./@+-"
            )
    for name in unit.credentials:
        if not _CREDENTIAL.fullmatch(name):
            yield (
                f"the file {name}, which the config names: expected a name without a folder, such"
                f" as database_url, for a file of {unit.folder}, since the unit's user can read no"
                " other"
            )
    folder = unit.data_dir
    if not unit.user and (not _PLAIN.fullmatch(str(folder)) or STATE not in folder.parents):
        yield (
            f"[service] data_dir = {folder}: expected a folder below {STATE}, where the unit's user"
            f' can write: data_dir = "{STATE / unit.name}"'
        )


def unreachable(unit: Unit, root: Path, files: Iterable[Path]) -> Iterator[str]:
    """What the unit needs and does not find, or its user cannot read: nexus and what runs it, and
    these files. `root` is the folder that stands for / when the unit runs.
    """
    needed = list(files)
    if not _is_executable(_inside(unit.executable, root)):
        yield (
            f"no executable {unit.executable}{_below(root)}: --executable says where nexus is,"
            " installed by pip install into a venv of its own"
        )
    else:
        needed += _of_executable(unit.executable, root)
    if unit.user:
        return
    reported = set()
    for path in needed:
        why = _unseen(path, root)
        if why is not None and why not in reported:
            reported.add(why)
            yield f"the unit's user cannot read {path}: {why}"


def _below(root: Path) -> str:
    return "" if root == Path("/") else f" below {root}"


def _is_executable(file: Path) -> bool:
    return file.is_file() and bool(file.stat().st_mode & stat.S_IXOTH)


def _of_executable(executable: Path, root: Path) -> Iterator[Path]:
    """It, what runs it, and the Python that this one's venv was made from."""
    yield executable
    with _inside(executable, root).open("rb") as file:
        first = file.read(_MOST_OF_SCRIPT).split(b"\n", 1)[0].decode("utf-8", "replace")
    if first.startswith("#!/"):
        yield Path(first[2:].split()[0])
    try:
        settings = _inside(executable.parent.parent / "pyvenv.cfg", root).read_text()
    except OSError:
        return
    if (home := re.search(r"^home\s*=\s*(/.*\S)", settings, re.MULTILINE)) is not None:
        yield Path(home[1])


def _inside(path: Path, root: Path) -> Path:
    """Where the path leads, its links followed as if `root` were /."""
    *_, last = (Path("/"), *_way(path, root))
    return _at(last, root)


def _at(place: Path, root: Path) -> Path:
    return root / place.relative_to("/")


def _way(path: Path, root: Path) -> Iterator[Path]:
    """Each folder, link and file that is passed on the way to what the path names."""
    left, at, links = list(path.parts[1:]), Path("/"), 0
    while left:
        name = left.pop(0)
        if name == "..":
            at = at.parent
            continue
        at = at / name
        yield at
        if _at(at, root).is_symlink():
            links += 1
            if links > _MOST_LINKS:
                return
            target = _at(at, root).readlink()
            at = Path("/") if target.is_absolute() else at.parent
            left[:0] = target.parts[1:] if target.is_absolute() else target.parts


def _unseen(path: Path, root: Path) -> str | None:
    """Why another user does not get there, within the walls that the unit sets up."""
    for place in _way(path, root):
        for folder, why in _HIDDEN.items():
            if place.is_relative_to(folder):
                return f"the unit hides {folder} from it ({why})"
        try:
            mode = _at(place, root).lstat().st_mode
        except OSError as error:
            return f"{place}: {(error.strerror or 'not there').lower()}"
        if stat.S_ISDIR(mode) and not mode & stat.S_IXOTH:
            return f"{place} is closed to others: chmod o+x {place}"
        if stat.S_ISREG(mode) and not mode & stat.S_IROTH:
            return f"{place} is closed to others: chmod o+r {place}"
    return None
