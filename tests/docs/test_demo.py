"""`nexus demo` does what it says, and leaves nothing behind."""

import json
import re
import shlex
import signal
import subprocess
from urllib.request import urlopen

from tests.acceptance.nexus import LIMIT, Nexus, wait_for


def test_demo_shows_everything_stays_up_if_asked_to_and_leaves_nothing(nexus: Nexus) -> None:
    output = nexus.folder / "demo.txt"
    process = nexus.spawn("demo", "--keep", output=output)
    wait_for(lambda: "until Ctrl-C" in output.read_text(), "the demo's dashboard")
    found = re.search(r"http://127\.0\.0\.1:\d+/", output.read_text())
    assert found is not None
    with urlopen(found[0], timeout=LIMIT) as page:  # noqa: S310 - it begins with http
        assert page.status == 200
        assert "Overview" in page.read().decode()
    (command,) = re.findall(r"env .*NEXUS_CONFIG=.* top", " ".join(output.read_text().split()))
    words = [*shlex.split(command)[:-1], "status", "--json"]
    asked = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT, check=True)
    assert json.loads(asked.stdout)["state"] == "ready"
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == 0, output.read_text()
    said = output.read_text()
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
        assert text in said
    assert "✗" not in said
    assert "Traceback" not in said
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
