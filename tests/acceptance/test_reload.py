"""A new config and a new actor, while the service runs, as an operator has them."""

import signal

from tests.acceptance.nexus import Nexus, wait_for

PROVIDER = """
    [queue]
    batch_size = {batch_size}
    [providers.echo]
    kind = "echo"
    pool_size = {pool_size}
    [[routes]]
    complexity = "*"
    task_type = "*"
    models = ["echo/echo"]
    """


def test_reload_and_restart(nexus: Nexus, database_url: str) -> None:
    def configure(pool_size: object, batch_size: object = 100) -> None:
        nexus.configure(
            PROVIDER.format(pool_size=pool_size, batch_size=batch_size), url=database_url
        )

    configure(2)
    service = nexus.start()
    service.wait_ready()

    configure(3)
    dry = nexus.run("reload", "--dry-run")
    assert (dry.returncode, dry.stdout) == (
        0,
        "would change:\n  providers.echo.pool_size: 2 → 3\n",
    )
    assert service.status()["providers"]["echo"]["workers"] == 2
    told = nexus.json("reload")
    assert [it["path"] for it in told["changes"]] == ["providers.echo.pool_size"]
    assert service.status()["providers"]["echo"]["workers"] == 3

    configure(0, '"many"')  # the place of the service can be read all the same
    mistaken = nexus.run("reload")
    assert mistaken.returncode == 2
    assert mistaken.stderr.count("expected") == 2
    assert service.status()["providers"]["echo"]["workers"] == 3
    service.signal(signal.SIGHUP)
    wait_for(lambda: service.log.count("not reloaded, the old config stays") == 2, "the refusal")
    configure(1)
    service.signal(signal.SIGHUP)
    wait_for(lambda: "providers.echo.pool_size: 3 → 1" in service.log, "the reload")

    assert nexus.json("restart", "echo.Worker.1") == {"actor": "echo.Worker.1", "ended": True}
    unknown = nexus.run("restart", "echo.Worker")
    assert unknown.returncode == 1
    assert "no actor is called echo.Worker; did you mean echo.Worker.1?" in unknown.stderr
