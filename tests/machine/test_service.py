"""docs/service.md and what other pages say of the unit, under a real systemd.

The tests share one service and run in their order.
"""

import re

from tests.machine.lines import Shell, block, line
from tests.machine.service import Service, restarts

PAGE = "docs/service.md"
LOOK = block(PAGE, "journalctl -u nexus -f")


def test_the_installed_unit_starts_and_answers(service: Service) -> None:
    # `enable --now` ended, so READY=1 has come.
    assert service.shown("Type") == "notify"
    assert service.shown("SubState") == "running"
    assert service.machine.done("systemctl is-enabled nexus").strip() == "enabled"
    assert service.answers()


def test_it_runs_as_a_user_who_can_write_to_its_data_alone(service: Service) -> None:
    main = service.shown("MainPID")
    user = service.machine.done(f"stat -c %U /proc/{main}").strip()
    assert user == "nexus"
    mode = service.machine.done("stat -c '%a %U' /var/lib/private/nexus").split()
    assert mode == ["700", "nexus"]
    inside = f"nsenter -t {main} -m --"
    as_user = f"{inside} setpriv --reuid nexus --clear-groups"
    service.machine.done(f"{as_user} touch /var/lib/nexus/mine")
    for place in ("/etc/nexus", "/opt/nexus", "/usr/local"):
        # Not even root may, where the service is.
        assert "Read-only" in service.machine.run(f"{inside} touch {place}/mine").text


def test_its_sandbox_is_rated_as_the_page_says(service: Service) -> None:
    rated = service.machine.done("systemd-analyze security nexus --no-pager").splitlines()[-1]
    found = re.search(r"nexus\.service: ([\d.]+)", rated)
    assert found is not None, rated
    assert float(found[1]) < 2, rated


def test_it_can_be_looked_at(service: Service) -> None:
    status, follow, warnings, frozen, show, sudo = LOOK
    said = service.shell.follow(status)
    assert "active (running)" in said
    assert 'Status: "ready' in said
    with service.shell.watch(follow, "nexus"):
        pass
    assert "-- No entries --" in service.shell.follow(frozen, codes=(0, 1))
    service.shell.follow(warnings)
    assert restarts(service.shell.follow(show)) == 0
    assert "ready" in service.shell.follow(sudo)


def test_the_doctor_sees_what_the_unit_sees(service: Service) -> None:
    lines = block("docs/doctor.md", "systemd-run")
    for command in lines:
        said = service.shell.follow(command, codes=(0, 1))
        # It finds something: the key of the page's example is none, and there is no network.
        assert re.search(r"^ok +database ", said, re.MULTILINE)
        assert re.search(r"^ok +service ", said, re.MULTILINE)


def test_a_reload_ends_when_the_service_says_so(service: Service) -> None:
    service.machine.done("systemctl reload nexus")
    service.at_last("journalctl -u nexus -o cat --no-pager | grep -q '] reloaded '")
    service.at_last("systemctl is-active -q nexus")


def test_a_killed_service_starts_again(service: Service) -> None:
    before = service.shown("MainPID")
    service.machine.done("systemctl kill --kill-whom=main --signal=KILL nexus")
    service.at_last("test $(systemctl show nexus -p NRestarts --value) = 1")
    service.at_last("systemctl is-active -q nexus")
    assert service.shown("MainPID") != before
    assert service.answers()


def test_a_frozen_loop_is_killed_and_its_threads_are_in_the_journal(service: Service) -> None:
    machine = service.machine
    drop_in = "/run/systemd/system/nexus.service.d"
    machine.done(f"mkdir -p {drop_in} && printf '[Service]\\nWatchdogSec=10\\n' > {drop_in}/w.conf")
    machine.done("systemctl daemon-reload && systemctl restart nexus")
    machine.done("systemctl kill --kill-whom=main --signal=STOP nexus")
    service.at_last("test $(systemctl show nexus -p NRestarts --value) -ge 1")
    service.at_last("systemctl is-active -q nexus")
    frozen = service.shell.follow(LOOK[3])
    assert "watchdog timeout" in frozen.lower()
    assert "most recent call first" in service.journal()
    machine.done(f"rm -r {drop_in} && systemctl daemon-reload && systemctl restart nexus")
    assert service.answers()


def test_a_stop_lets_running_calls_end(service: Service) -> None:
    asked = "nexus ask slowly --model slow/rock --timeout 60"
    with service.machine.begin(
        asked, environ={"NEXUS_CONFIG": "/etc/nexus/nexus.toml"}
    ) as question:
        service.at_last("systemctl show nexus -p StatusText | grep -q '1 in flight'")
        service.machine.done("systemctl stop nexus")
        said, _ = question.communicate(timeout=60)
    assert "slowly" in said
    assert re.search(r"\bdraining .*\bcalls=1\b", service.journal("-b")) is not None
    assert service.shown("Result") == "success"
    service.machine.done("systemctl start nexus")


def test_the_upgrade_keeps_it_running(service: Service, clone: Shell) -> None:
    for text in ("/opt/nexus/bin/pip install --require-hashes", "/opt/nexus/bin/pip install --no-"):
        clone.follow(line(PAGE, text))
    for command in block(PAGE, "systemctl restart nexus"):
        clone.follow(command)
    assert service.answers()


def test_a_drained_node_stays_drained_over_a_reboot(service: Service) -> None:
    machine = service.machine
    for command in block("docs/operating.md", "systemctl reboot"):
        service.shell.follow(command)
        if command.text == "systemctl reboot":
            machine.wait_for_end()
            machine.boot()
            assert machine.done("systemctl is-active nexus").strip() == "active"
            assert "drained" in service.shell.do("nexus nodes")
    assert service.answers()


def test_a_base_backup_of_its_server_is_made(service: Service) -> None:
    service.shell.do("cd /srv")
    service.shell.follow(line("docs/operating.md", "pg_basebackup"))
    assert "base.tar.gz" in service.shell.do("ls /srv/BACKUP")


def test_the_dashboard_is_reached_through_ssh(service: Service) -> None:
    machine = service.machine
    machine.done("useradd --create-home ops && install -d -m 700 -o ops ~ops/.ssh /root/.ssh")
    machine.done("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
    machine.done("install -m 600 -o ops /root/.ssh/id_ed25519.pub ~ops/.ssh/authorized_keys")
    # Another machine: a network without the service's port. Its way to db-1 is sshd's own input.
    machine.done(
        "cat > /root/.ssh/config <<'EOF'\nHost db-1\nStrictHostKeyChecking no\n"
        "ProxyCommand nsenter --net=/proc/1/ns/net /usr/sbin/sshd -i\nEOF"
    )
    machine.done("install -d /run/sshd && touch /run/away")
    machine.done("unshare --net=/run/away ip link set lo up")
    away = "nsenter --net=/run/away"
    look = "curl --silent --show-error --fail http://127.0.0.1:9464/"
    assert machine.run(f"{away} {look}").code != 0
    with service.shell.watch(line("docs/dashboard.md", "ssh -L"), "", within=f"{away} bash -c"):
        service.at_last(f"{away} {look} >/dev/null")
        assert "<title>" in machine.done(f"{away} {look}")
