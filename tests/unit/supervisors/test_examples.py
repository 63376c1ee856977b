"""Each example runs as its readers run it, and prints what it is to show."""

import runpy
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from supervisors import DynamicSupervisor, open_tree

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "supervisors" / "examples"

PRINTS = {
    "counter": """\
add 2: 2
add 0: 42
divide by 0: ZeroDivisionError('division by zero')
after the restart: 1
""",
    "chat_room": """\
bob has read:
  <room> cid joined
  <ann> hello
  <bob> bye
cid has read:
  <ann> hello
  <bob> bye
  <room> bob left
  <cid> crash
ann has read:
  <room> bob joined
  <room> cid joined
  <ann> hello
  <bob> bye
  <room> bob left
  <cid> crash
  <room> cid vanished
""",
    "crawler": """\
/ has 3 links
/news has 3 links
/about has 1 links
/broken failed: Crashed(exception=LookupError('HTTP/1.0 404 Not Found'))
/news/1 has 1 links
/news/2 has 0 links
""",
    "worker_pool": """\
2 -> 4
3 -> 9
7 -> 49
13 -> given up after 2 attempts
20 -> 400
""",
    "socket_server": """\
good sends 2: 2
connection ends: Crashed
bad sends nonsense: hung up
good sends 40: 42
connection ends: Shutdown
""",
}


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_prints_what_it_shows(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-Werror", f"{name}.py"],
        cwd=FOLDER,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == PRINTS[name]


def test_every_example_is_run_and_short() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == PRINTS.keys()
    for path in FOLDER.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 120, path.name


def example(name: str) -> dict[str, Any]:
    """Its names, in a module of its own."""
    return runpy.run_path(str(FOLDER / f"{name}.py"))


async def test_the_crawler_gets_each_page_of_a_site_wider_than_its_stream(
    capsys: pytest.CaptureFixture[str],
) -> None:
    crawler = example("crawler")
    pages = [f"/{number}" for number in range(25)]
    crawler["SITE"].clear()
    crawler["SITE"].update(
        dict.fromkeys(pages, ""), **{"/": " ".join(f"<a href={it}>" for it in pages)}
    )
    await crawler["main"]()
    assert capsys.readouterr().out.split() == [
        *("/", "has", "25", "links"),
        *(word for page in pages for word in (page, "has", "0", "links")),
    ]


@pytest.mark.parametrize("resets", [False, True])
async def test_the_socket_server_keeps_no_connection_that_its_client_has_closed(
    resets: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    server = example("socket_server")

    async with open_tree(server["tree"]):
        stream = await trio.open_tcp_stream(
            "127.0.0.1", await server["LISTENER"].call(server["Port"]())
        )
        assert await server["ask"](stream, b"1") == "1"
        if resets:  # closed with no time to linger
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()
        with trio.fail_after(30):
            while (await DynamicSupervisor.count_children(server["CONNECTIONS"])).active:
                await trio.sleep(0.001)
        assert capsys.readouterr().out.split()[-1] == ("Crashed" if resets else "Normal")
