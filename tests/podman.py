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
echo ready
cat
exit
"""


class UnusableError(Exception):
    """No image can be built on this machine; why."""


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
def open_podman(folder: Path) -> Iterator[Podman]:
    """Podman, until the block ends; then its containers end, too. Raises UnusableError."""
    if os.geteuid() != 0:
        raise UnusableError("it needs root")
    if missing := [it for it in PROGRAMS if shutil.which(it) is None]:
        raise UnusableError(f"not installed: {', '.join(missing)}")
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    with subprocess.Popen(
        [*namespaces, "sh", "-c", _FIRST], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:  # whose end closes the pipes, and waits
        assert first.stdout is not None
        if first.stdout.readline() != b"ready\n":
            raise UnusableError("no namespaces, or no mounts in them")
        podman = Podman(folder, first.pid)
        podman.configure(network="host", volumes={})
        told = podman.ask("podman info")
        if told.returncode:
            raise UnusableError(told.stderr.strip())
        yield podman


def provide_base(podman: Podman, name: str) -> None:
    """Have the image that ours is built from: a registry's, or one of Debian's packages with that
    Python. Raises UnusableError."""
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
    made = subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io"),
            *(f"--include={python}-venv,ca-certificates", f"--customize-hook={link}"),
            *(RELEASE, str(root)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    if made.returncode:
        raise UnusableError(made.stderr.strip())
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
