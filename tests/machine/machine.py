"""A machine of our own: a real systemd in namespaces, on the computer's files.

What is written there is kept in memory, and is gone with it. It has a network of its own, with
nothing in it but itself; a command that installs packages may use the computer's.

It ends however its user ends: its first process reads from a pipe of that user's, and the kernel
ends a namespace with its first process. Its folder, with a log, and its control group may then be
left; the next start removes them.
"""

import errno
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from tests.docs.pages import ROOT
from tests.docs.programs import POSTGRES
from tests.leftovers import abandoned, ended_with_input, own_folder

PATIENCE: Final = 120.0
"""Seconds for anything to happen but an installation."""
NAME: Final = "nexus-machine-"
"""How the names of folders and control groups begin, and of no others."""
SYSTEMD: Final = Path("/lib/systemd/systemd")
FORGE: Final = "/mnt/forge"
"""Where the repository is on it, read-only."""
_PROGRAMS: Final = ("unshare", "nsenter", "pivot_root", "mount", "apt-get")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSTALLS: Final = re.compile(r"(PIP|UV)_\w+|(SSL|REQUESTS|CURL)_CA?_?\w+|(?i:\w+_proxy)")
"""Variables that say where packages come from."""

_TRIED: Final = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/{changes,work,root}
mount -t overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work machine /mnt/root
mount -t cgroup2 cgroup2 /mnt/root/mnt
mknod /mnt/null c 1 3
"""
"""Whether this can be done here. It is what a machine begins with."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, both streams as a terminal shows them, and its exit code."""

    code: int
    text: str


@dataclass(slots=True)
class Machine:
    """A machine that runs."""

    _holder: "subprocess.Popen[str]"
    _group: Path
    """Its control group: `holder` in it is that of its first process, `machine` its own."""
    _log: Path
    _boots: int = 0
    installs: Mapping[str, str] = field(
        default_factory=lambda: {it: v for it, v in os.environ.items() if _INSTALLS.fullmatch(it)}
    )

    @property
    def name(self) -> str:
        """That of its folder and of its control group."""
        return self._group.name

    def boot(self) -> None:
        """Start systemd, and wait until all that is enabled has been started."""
        assert self._holder.stdin is not None
        self._holder.stdin.write("boot\n")
        self._holder.stdin.flush()
        self._boots += 1
        self._wait_for(lambda: self._first() is not None, "systemd")
        # It says so itself, once its jobs are done; degraded is that one of them has failed.
        self._wait_for(
            lambda: self.run("systemctl is-system-running").text.strip() in ("running", "degraded"),
            "the boot",
        )

    def wait_for_end(self) -> None:
        """Wait until it is shut down."""
        self._wait_for(lambda: self._log.read_text().count("ended\n") == self._boots, "the end")

    def run(
        self,
        text: str,
        *,
        typed: str = "",
        online: bool = False,
        folder: str = "/",
        environ: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> Said:
        """A line of a shell, as root. `online` lends it the computer's network."""
        with self.begin(text, online=online, folder=folder, environ=environ) as begun:
            try:
                said, _ = begun.communicate(typed, patience)
            except subprocess.TimeoutExpired as error:
                said = (error.output or b"").decode(errors="replace")[-2000:]
                raise AssertionError(f"it does not end: {text}\n{said}") from error
        return Said(begun.returncode, said)

    def done(self, text: str, *, online: bool = False) -> str:
        """What a line prints that must not fail."""
        said = self.run(text, online=online, patience=5 * PATIENCE if online else PATIENCE)
        assert said.code == 0, f"{text}: exit code {said.code}\n{said.text[-4000:]}"
        return said.text

    @contextmanager
    def begin(
        self,
        text: str,
        *,
        online: bool = False,
        folder: str = "/",
        environ: Mapping[str, str] | None = None,
    ) -> Iterator["subprocess.Popen[str]"]:
        """The same, to be talked to until the block ends; then it is ended, if it has not."""
        first = self._first()
        assert first is not None, f"it does not run:\n{self._log.read_text()}"
        environ = {"HOME": "/root", "PATH": _PATH, "TERM": "dumb", **(environ or {})}
        if online:
            environ = {**self.installs, **environ}
        namespaces = ["-m", "-p", "-C", "-u", "-i", *(() if online else ("-n",))]
        variables = (f"{name}={value}" for name, value in environ.items())
        inside = [
            "env",
            "-i",
            f"--chdir={folder}",
            *variables,
            "bash",
            "-o",
            "pipefail",
            "-c",
            text,
        ]
        begun = subprocess.Popen(
            ["nsenter", "-t", str(first), *namespaces, "-r", "-w", "--", *inside],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with begun:
            try:
                yield begun
            finally:
                # All that it has started: of a terminal that is closed, nothing is left either.
                with suppress(ProcessLookupError):
                    os.killpg(begun.pid, signal.SIGKILL)

    def _first(self) -> int | None:
        """The process id of its systemd, as the computer has it."""
        with suppress(FileNotFoundError):
            found = (self._group / "machine/init.scope/cgroup.procs").read_text().split()
            return int(found[0]) if found else None
        return None

    def _wait_for(self, look: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not look():
            said = self._log.read_text()
            assert self._holder.poll() is None, f"the machine has ended:\n{said}"
            assert time.monotonic() < deadline, f"waited too long for {what}:\n{said}"
            time.sleep(0.05)


def missing() -> str | None:
    """Why there can be no machine here."""
    if os.geteuid() != 0:
        return "only root can make a machine"
    if not SYSTEMD.exists():
        return "there is no systemd (Debian: apt-get install systemd)"
    if lacking := [it for it in _PROGRAMS if shutil.which(it) is None]:
        return f"there is no {', '.join(lacking)}"
    if (place := groups()) is None:
        return "the kernel shows no control groups of version 2"
    if not os.access(place, os.W_OK):
        return "no control group can be made"
    names = ["--pid", "--mount", "--cgroup", "--uts", "--ipc", "--net"]
    tried = subprocess.run(
        ["unshare", "--fork", *names, "bash", "-ec", _TRIED],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"no namespaces, or mounts: {tried.stderr.strip()}" if tried.returncode else None


@contextmanager
def running_machine() -> Iterator[Machine]:
    """One that has been started. However the block ends, nothing of it is left."""
    groups_folder = groups()
    assert groups_folder is not None
    place = Path(tempfile.gettempdir())
    _sweep(place, groups_folder)
    with own_folder(place, NAME) as folder:
        group = groups_folder / folder.name
        try:
            for inner in ("holder", "machine"):
                (group / inner).mkdir(parents=True)
            log = folder / "log"
            with log.open("w") as output, _held(folder, group, output) as holder:
                machine = Machine(holder, group, log)
                machine.boot()
                yield machine
        finally:
            removed = _remove(group)
            assert removed, f"processes are left in {group}"


@contextmanager
def _held(folder: Path, group: Path, log: IO[str]) -> Iterator["subprocess.Popen[str]"]:
    """Its first process, until the block ends."""
    words = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "bash"]
    packages = POSTGRES.parents[2]
    postgres = POSTGRES.parent.relative_to(packages)
    words += [str(ROOT / "tests/machine/hold.sh")]
    words += map(str, (folder, ROOT, packages, postgres, group / "machine"))
    enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", enter, str(group / "holder"), *words],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        text=True,
        start_new_session=True,  # Ctrl-C is for pytest, which then closes the pipe
    )
    with ended_with_input(process) as holder:
        yield holder


def groups() -> Path | None:
    """Where control groups of version 2 are."""
    found = re.search(r"^\S+ (\S+) cgroup2 ", Path("/proc/mounts").read_text(), re.MULTILINE)
    return Path(found[1]) if found else None


def _sweep(place: Path, groups_folder: Path) -> None:
    """Remove what machines have left whose users have been killed."""
    for folder in abandoned(place, NAME):
        # The folder last: it is what the group is found by.
        if _remove(groups_folder / folder.name):
            shutil.rmtree(folder)


def _remove(group: Path) -> bool:
    """Remove a control group; whether it is gone. One that has processes stays as it is."""
    try:
        if "populated 1" in (group / "cgroup.events").read_text():
            return False
        for inner in sorted(group.rglob("*/"), reverse=True):
            inner.rmdir()
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True
