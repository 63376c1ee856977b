"""Podman in namespaces of its own, with storage of its own, so that nothing of it is left.

It needs root, crun, and leave to mount: the machine may itself be a container that has none.
"""

import os
import re
import resource
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.docs.pages import ROOT
from tests.leftovers import ended_with_input

PROGRAMS: Final = ("podman", "crun", "unshare", "nsenter")
LIMIT: Final = 900.0
"""Seconds for one command: to build the image, pip fetches and compiles."""
TRUSTED: Final = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian has the authorities that pip trusts."""
RELEASE: Final = "trixie"
"""The Debian that has the Python of the Containerfile."""
_MOST: Final = {resource.RLIMIT_NOFILE: 1_048_576, resource.RLIMIT_NPROC: 32_768}
"""What Podman sets its own limits to, where it may. Its containers' cannot be above them."""
_STORAGE: Final = """
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
_CONTAINERS: Final = """
[containers]
cgroups = "disabled"
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
netns = "{network}"
volumes = {volumes}
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
static_dir = "{folder}/libpod"
tmp_dir = "{folder}/tmp"
volume_path = "{folder}/volumes"
"""
# What the namespace is made of: whether this machine can do that, before it is done.
_TRIED: Final = """
set -e
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
cd "$1"
mkdir tried tried/upper tried/work tried/root
mount -t overlay -o lowerdir=/usr,upperdir=tried/upper,workdir=tried/work overlay tried/root
"""
# The first process of the namespace. The end of its input is its own end, and so that of all others
# in there. As it waits for `cat`, it reaps what has lost its parent, which Podman waits for.
_FIRST: Final = """
set -e
# crun refuses a second hierarchy that has controllers.
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
for place in /run/crun /var/lib/containers; do
    mkdir -p $place
    mount -t tmpfs tmpfs $place
done
mkdir "$2"
mount --bind "$1" "$2"
# crun gives a container's user its input, /dev/null. Podman's locks are in /dev/shm; so, perhaps,
# is what has just been mounted elsewhere.
source tests/devices.sh /dev
echo ready
cat
exit
"""
_NAMESPACES: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


class UnusableError(Exception):
    """No image can be built on this machine; why."""


class FaultError(Exception):
    """What the machine has all that is needed for does not hold."""


@dataclass(slots=True)
class Podman:
    """What it runs in."""

    folder: Path
    first: int
    """The process that made the namespaces, and is in them but for that of process ids."""
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environ = {
            **os.environ,
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "TMPDIR": str(self.folder),
            # Else the machine's own systemd has timers for the health check.
            "DISABLE_HC_SYSTEMD": "true",
        }
        text = _STORAGE.format(folder=self.folder)
        (self.folder / "storage.conf").write_text(text)

    @property
    def lent(self) -> Path:
        """Where the folder is, there, that it was lent."""
        return self.folder / "lent"

    def configure(self, *, network: str, volumes: Mapping[str, str]) -> None:
        """What the next containers have, beyond what their commands say. `volumes` are paths in a
        container, which cannot write to them, and what they are here."""
        text = _CONTAINERS.format(
            folder=self.folder,
            files=_limit(resource.RLIMIT_NOFILE),
            processes=_limit(resource.RLIMIT_NPROC),
            network=network,
            volumes=[f"{here}:{there}:ro" for there, here in volumes.items()],
        )
        (self.folder / "containers.conf").write_text(text)

    def ask(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a command line there; what it says."""
        return subprocess.run(
            self._inside(line, self.folder),
            capture_output=True,
            text=True,
            check=False,
            env=self.environ,
            timeout=LIMIT,
        )

    def run(self, line: str, folder: Path) -> None:
        """Run a command line there that has to succeed, and show what it says."""
        print("$", line, flush=True)
        subprocess.run(self._inside(line, folder), check=True, env=self.environ, timeout=LIMIT)

    def _inside(self, line: str, folder: Path) -> list[str]:
        place = f"/proc/{self.first}/ns"
        return [
            *("nsenter", f"--mount={place}/mnt", f"--pid={place}/pid_for_children"),
            # With other mounts it has another working directory.
            *("bash", "-ec", f"cd {shlex.quote(str(folder))}; {line}"),
        ]


@contextmanager
def open_podman(folder: Path, lent: Path) -> Iterator[Podman]:
    """Podman, until the block ends; then its containers end, too. It finds the folder `lent`, which
    may be in `/dev/shm`, as `Podman.lent`. Raises UnusableError, FaultError."""
    _look(folder)
    podman = Podman(folder, 0)
    words = ["bash", "-c", _FIRST, "bash", str(lent), str(podman.lent)]
    process = subprocess.Popen(
        [*_NAMESPACES, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which then closes the pipe
    )
    with ended_with_input(process) as first:
        assert first.stdout is not None
        if first.stdout.readline() != "ready\n":
            raise FaultError("its namespace cannot be prepared")
        podman.first = first.pid
        podman.configure(network="host", volumes={})
        told = podman.ask("podman info")
        if told.returncode:
            raise FaultError(told.stderr.strip())
        yield podman


def _look(folder: Path) -> None:
    """Whether this machine has all that is needed. Raises UnusableError."""
    if os.geteuid() != 0:
        raise UnusableError("it needs root")
    if missing := [it for it in PROGRAMS if shutil.which(it) is None]:
        raise UnusableError(f"not installed: {', '.join(missing)}")
    tried = subprocess.run(
        [*_NAMESPACES, "bash", "-c", _TRIED, "bash", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        raise UnusableError(f"no namespaces, mounts or devices: {tried.stderr.strip()}")


def provide_base(podman: Podman, name: str) -> None:
    """Have the image that ours is built from: a registry's, or one of Debian's packages with that
    Python. Raises UnusableError, CalledProcessError."""
    print(f"base: {name}", flush=True)
    pulled = podman.ask(f"podman pull --quiet {name}")
    if pulled.returncode == 0:
        return
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", name)
    if version is None or shutil.which("mmdebstrap") is None:
        raise UnusableError(f"no mmdebstrap, and {pulled.stderr.strip()}")
    print(f"no registry has it for us: made of Debian's packages ({RELEASE})", flush=True)
    # As slim images have it: with apt, whose C++ library some wheels need.
    python = f"python{version[1]}"
    root = podman.folder / "root.tar"
    link = f'ln -s {python} "$1/usr/bin/python"'
    words = ["mmdebstrap", "--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io"]
    words += [f"--include={python}-venv,ca-certificates", f"--customize-hook={link}"]
    podman.run(shlex.join([*words, RELEASE, str(root)]), podman.folder)
    podman.run(f"podman import --quiet {root} {name}", podman.folder)
    root.unlink()


def trusted() -> dict[str, str]:
    """The volume by which a container trusts the authorities that this machine does, such as a
    proxy's."""
    file = ssl.get_default_verify_paths().cafile
    return {TRUSTED: file} if file else {}


def _limit(kind: int) -> int:
    _, hard = resource.getrlimit(kind)
    return _MOST[kind] if hard == resource.RLIM_INFINITY else min(hard, _MOST[kind])
