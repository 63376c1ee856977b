"""The service as systemd sees it: by a socket of the test's own, in systemd's place."""

import signal

from tests.acceptance.nexus import Inside, Nexus
from tests.acceptance.notified import WATCHDOG, notified


def test_its_life_is_told_in_order_and_a_frozen_one_feeds_no_watchdog(
    nexus: Nexus, inside: Inside, database_url: str
) -> None:
    folder = nexus.folder / "credentials"
    folder.mkdir()
    (folder / "database_url").write_text(database_url + "\n")
    (folder / "database_url").chmod(0o600)
    nexus.configure('url_file = "database_url"')
    with notified(nexus) as manager:
        service = nexus.start()
        manager.until("READY=1")
        # The same config serves the commands of an operator.
        assert inside.run("ask", "hello").returncode == 0
        assert inside.run("dead", "list").returncode == 0
        assert inside.run("status", "--alive").stdout == f"alive (pid {service.pid}): ready\n"
        assert inside.run("reload", "--dry-run").returncode == 0
        service.signal(signal.SIGHUP)
        manager.until("RELOADING=1")
        manager.until("MONOTONIC_USEC=")
        manager.until("READY=1")
        manager.until("WATCHDOG=1")

        service.signal(signal.SIGSTOP)
        while manager.listen(10 * WATCHDOG):  # what was under way
            pass
        service.signal(signal.SIGCONT)
        manager.until("WATCHDOG=1")

        assert inside.run("stop").returncode == 0
        manager.until("STOPPING=1")
        assert service.wait() == 0
        assert manager.said.count("RELOADING=1") == 1  # the dry run was none
        assert "STATUS=ready: 0 in flight" in manager.said
