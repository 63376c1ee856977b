"""An operator steers a running service from the terminal, with the rights of their role alone."""

from nexus_actors.cli import exit_codes
from tests.acceptance.nexus import Inside, Nexus, Service, one_line, query, send, value, wait_for

PROVIDERS = """
[providers.echo]
kind = "echo"
pool_size = 3
[[routes]]
models = ["echo/echo"]
"""
STORED = "SELECT count(*) FROM job_results"


def test_what_an_operator_says_is_obeyed_and_every_command_says_what_it_did(
    nexus: Nexus,
    database_url: str,
    roles: tuple[str, str, str],
    inside: Inside,
) -> None:
    service_url, producer_url, operator_url = roles
    nexus.configure(PROVIDERS, url=service_url)
    service = nexus.start()
    service.wait_ready()
    nexus.configure(PROVIDERS, url=operator_url)
    it_pauses_and_says_who_waits_for_what(inside, service, producer_url, database_url)
    it_scales_and_sets_the_log_level(inside, service, database_url)
    it_drains_over_a_restart(inside, service, (service_url, operator_url), database_url)
    it_refuses_what_makes_no_sense(inside)
    by = {row["by"].split("@")[0] for row in query(database_url, "TABLE nexus.control_log")}
    assert len(by) == 1  # who has run the commands
    assert query(database_url, "TABLE nexus.control") == []


def it_pauses_and_says_who_waits_for_what(
    nexus: Inside, service: Service, producer_url: str, database_url: str
) -> None:
    done = nexus.run("pause", "provider", "echo", "--until", "2h", "--why", "it\x1b[2J burns")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("paused: provider echo, until ")
    assert r"why: it\x1b[2J burns" in done.stdout
    wait_for(lambda: service.status()["paused"], "the pause")
    send(producer_url, 3)
    told = "SELECT sum(requests) = 3 FROM nexus.waiting WHERE reason = 'paused'"
    wait_for(lambda: value(database_url, told), "what waits")
    (reason,) = nexus.json("waiting")["reasons"]
    assert (reason["reason"], reason["requests"]) == ("paused", 3)
    listed = nexus.run("waiting", "--limit", "1").stdout
    assert "request-001" in listed
    assert "\x1b[2J" not in listed
    assert service.status()["waiting"]["paused"]["requests"] == 3
    waits = nexus.json("explain", "request-002")["waits"]
    assert waits["before"] == 1
    assert waits["until"] is not None
    told = nexus.run("explain", "request-002").stdout
    assert told.startswith("waits for paused: provider echo is paused by ")
    assert value(database_url, STORED) == 0
    again = nexus.run("pause", "provider", "echo")
    assert "it replaces what " in again.stderr
    assert r"why: it\x1b[2J burns" in again.stderr
    first = nexus.run("pause", "queue")
    assert (first.returncode, first.stderr) == (0, "")
    wait_for(lambda: len(service.status()["paused"]) == 2, "the second pause")
    query(producer_url, "SELECT pgmq.send('ai_requests', '{\"request_id\": \"late\"}')")
    assert "queue ai_requests is paused by" in nexus.run("explain", "late").stdout
    assert nexus.json("resume", "queue") == {"resumed": 1}
    assert nexus.run("resume", "provider", "echo").stdout == "resumed: provider echo\n"
    again = nexus.run("resume", "provider", "echo")
    assert (again.returncode, again.stderr) == (0, "provider echo was not paused\n")
    wait_for(lambda: value(database_url, STORED) == 4, "results")


def it_scales_and_sets_the_log_level(nexus: Inside, service: Service, owner_url: str) -> None:
    def workers() -> int:
        return int(service.status()["providers"]["echo"]["workers"])

    assert nexus.json("scale", "echo", "5")["value"] == "5"
    wait_for(lambda: workers() == 5, "five workers")
    assert nexus.run("scale", "echo", "default").stdout == "provider echo: as the config says\n"
    wait_for(lambda: workers() == 3, "three workers")
    for words in (
        ["scale", "ehco", "5"],
        ["pause", "provider", "ehco"],
    ):
        told = one_line(nexus.run(*words), exit_codes.TIMED_OUT)
        assert told.startswith(
            "nexus: there is no provider ehco, here or on any node; did you mean"
        )
        assert told.endswith("did you mean echo? (known: echo)")
    an_order_for_another_nodes_provider_is_taken(nexus, owner_url)
    assert nexus.json("log-level", "debug", "--until", "1h")["value"] == "debug"
    assert nexus.run("log-level", "default").stdout == "log level: as the config says\n"


def an_order_for_another_nodes_provider_is_taken(nexus: Inside, owner_url: str) -> None:
    """Also one for a provider that no node has any more, as long as an order for it is in force."""
    query(
        owner_url,
        "INSERT INTO nexus.nodes SELECT (jsonb_populate_record(n, jsonb_build_object('node',"
        " 'other', 'concurrency', '{\"theirs\": 8}'::jsonb))).* FROM nexus.nodes AS n",
    )
    refused = one_line(nexus.run("pause", "provider", "echelon"), exit_codes.TIMED_OUT)
    assert refused.endswith("no provider echelon, here or on any node (known: echo, theirs)")
    query(owner_url, "UPDATE nexus.nodes SET state = 'stopped' WHERE node = 'other'")
    refused = one_line(nexus.run("pause", "provider", "thiers"), exit_codes.TIMED_OUT)
    assert refused.endswith("on any node (known: echo)")  # but it may be paused until it is back
    assert nexus.json("pause", "provider", "theirs")["name"] == "theirs"
    query(owner_url, "DELETE FROM nexus.nodes WHERE node = 'other'")
    assert nexus.json("resume", "provider", "theirs") == {"resumed": 1}
    orders = (("pause", "provider", "theirs"), ("scale", "theirs", "4"))
    ends = (("resume", "provider", "theirs"), ("scale", "theirs", "default"))
    for order, end in zip(orders, ends, strict=True):
        done = nexus.run(*end)
        assert (done.returncode, "there is no provider theirs" in done.stderr) == (0, True), end
        assert nexus.run(*order).returncode == exit_codes.TIMED_OUT
        assert nexus.run(*order, "--force").returncode == 0
        done = nexus.run(*end)  # an order in force had made it known
        assert done.returncode == 0


def it_drains_over_a_restart(
    nexus: Inside, service: Service, urls: tuple[str, str], database_url: str
) -> None:
    drained = nexus.nexus.json("drain", "--why", "new kernel")
    assert drained["node"] == service.status()["instance"]
    wait_for(lambda: service.status()["state"] == "drained", "the drain")
    asked = nexus.run("ask", "hello", "--timeout", "5")
    assert asked.returncode != 0  # nobody consumes
    service.process.kill()
    service.wait()
    nexus.nexus.configure(PROVIDERS, url=urls[0])
    again = nexus.nexus.start()
    again.wait_ready()
    nexus.nexus.configure(PROVIDERS, url=urls[1])
    assert again.status()["state"] == "drained"
    send(database_url, 1, first=9)
    assert nexus.json("resume", "node") == {"resumed": 1}
    wait_for(lambda: value(database_url, STORED) == 5, "the result")
    wait_for(lambda: again.status()["state"] == "ready", "a node that works")


def it_refuses_what_makes_no_sense(nexus: Inside) -> None:
    no_queue = one_line(nexus.run("pause", "queue", "no-such"), exit_codes.TIMED_OUT)
    assert "no queue no-such, here or on any node (known: ai_requests)" in no_queue
    for model, is_routed in (("echo", True), ("echo/ec*", True), ("no-such", False)):
        done = nexus.run("pause", "model", model)
        assert done.returncode == 0
        assert done.stderr.startswith("no route here names a model") is not is_routed
        assert nexus.json("resume", "model", model) == {"resumed": 1}
    for words, told in (
        (["pause", "provider"], "nexus"),
        (["pause", "agent", "a", "--fallback"], "expected fallback with a provider or a model"),
        (["pause", "agent", "a", "--until", "soon"], "expected a duration"),
        (["scale", "echo", "0"], "1 to 9999"),
        (["scale", "echo", "-1"], "nexus:"),
        (["scale", "echo", "99999"], "9999 calls"),
    ):
        done = nexus.run(*words)
        assert (done.returncode, told in done.stderr) == (2, True), (words, done.stderr)
    for words in (
        ["pause", "agent", "a", "--node", "nobody"],
        ["drain", "nobody"],
        ["resume", "node", "nobody"],
        ["scale", "echo", "4", "--node", "nobody"],
        ["log-level", "debug", "--node", "nobody"],
        ["reload", "--node", "nobody"],
        ["actor", "show", "Router", "--node", "nobody"],
    ):
        told = one_line(nexus.run(*words), exit_codes.TIMED_OUT)
        assert told.startswith('nexus: there is no node "nobody"; expected one of: '), words
