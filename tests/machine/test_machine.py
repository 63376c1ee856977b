"""The machine itself: what it keeps, and that nothing of it is left."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.machine.machine import groups, missing, running_machine

USER = """
import sys, time
from tests.machine.machine import running_machine
with running_machine() as machine:
    machine.done("systemd-run --quiet sleep 1000")
    print(machine.name, flush=True)
    sys.stdin.read()
"""
pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def _is_left(name: str) -> bool:
    """Whether there is a control group, a folder or a mount of that machine."""
    found = groups()
    assert found is not None
    mounted = name in Path("/proc/mounts").read_text()
    return mounted or (found / name).exists() or (Path(tempfile.gettempdir()) / name).exists()


def test_what_is_written_outlives_a_reboot_and_reaches_nothing_outside() -> None:
    with running_machine() as machine:
        machine.done("echo mine > /etc/of-the-machine; touch /tmp/of-the-boot")
        machine.done("systemctl reboot")
        machine.wait_for_end()
        machine.boot()
        assert machine.done("cat /etc/of-the-machine") == "mine\n"
        assert machine.run("ls /tmp/of-the-boot").code != 0
        assert machine.run("touch /mnt/forge/of-the-machine").code != 0
        assert machine.run("echo 1 > /proc/sys/vm/overcommit_memory").code != 0
        # It has a network of its own.
        assert machine.done("tail -n +3 /proc/net/dev | cut -d: -f1").split() == ["lo"]
    assert not Path("/etc/of-the-machine").exists()
    assert not _is_left(machine.name)


def test_it_ends_with_its_user_even_if_that_is_killed() -> None:
    user = subprocess.Popen(
        [sys.executable, "-c", USER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with user:
        assert user.stdout is not None
        name = user.stdout.readline().strip()
        found = groups()
        assert found is not None
        user.send_signal(signal.SIGKILL)
        user.wait()
        events = found / name / "cgroup.events"
        subprocess.run(
            ["bash", "-c", f"until grep -q 'populated 0' {events}; do sleep 0.1; done"],
            check=True,
            timeout=60,
        )
    with running_machine():
        assert not _is_left(name)  # the next one removes what it has left
