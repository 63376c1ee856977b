"""`nexus demo` does what it says, and leaves nothing behind."""

import signal

from tests.acceptance.nexus import LIMIT, Nexus, wait_for


def test_demo_shows_everything_and_leaves_nothing(nexus: Nexus) -> None:
    done = nexus.run("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for text in (
        "pgmq.send('ai_requests'",
        "demo-01-greeting",
        "provider_error",
        "invalid_request",
        "messages[0].role",
        "job_results",
        "QueueConsumer",
        "local.Server",
        "demo-14-local",
        "smollm2-135m-instruct",
        "✓ 15 requests, 15 results: one each",
        "✓ the service stopped on SIGTERM (exit code 0)",
    ):
        assert text in done.stdout
    assert "✗" not in done.stdout
    nexus.wait_all_gone()
    assert list((nexus.folder / "tmp").iterdir()) == []
    assert not nexus.data_dir.exists()


def test_interrupted_demo_leaves_nothing(nexus: Nexus) -> None:
    output = nexus.folder / "demo.txt"
    process = nexus.spawn("demo", output=output)
    wait_for(lambda: "A producer" in output.read_text(), "the demo's service")
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == 130
    assert "Traceback" not in output.read_text()
    nexus.wait_all_gone()
    assert list((nexus.folder / "tmp").iterdir()) == []
