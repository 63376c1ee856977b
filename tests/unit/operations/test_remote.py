"""A prompt inside the service: what is typed there is answered there, and harms nobody else."""

import json
import os
import pwd
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from pydantic import SecretStr
from structlog.testing import capture_logs

from nexus_actors.operations import remote as remote_module
from nexus_actors.operations.control import Control, ask
from nexus_actors.operations.control_client import ControlError, socket_path
from nexus_actors.operations.remote import Remote
from nexus_actors.operations.remote_names import Actors
from nexus_actors.operations.remote_output import LONGEST_SHOWN, MOST_UNSENT
from supervisors import ActorRef, Call, ChildSpec, GenServer, Reply, Supervisor, open_tree


class Double(Call[int]):
    """Answered by twice the count."""


class Counter(GenServer):
    async def init(self) -> None:
        self.count = 21

    async def handle_call(self, request: Call[Any], caller: object) -> Reply:
        return Reply(2 * self.count)

    async def handle_cast(self, message: object) -> None:
        self.count += 1


class Prompt:
    """One session."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.data = b""

    async def send(self, **request: object) -> None:
        await self.stream.send_all(json.dumps(request).encode() + b"\n")

    async def next(self) -> dict[str, Any]:
        while b"\n" not in self.data:
            chunk = await self.stream.receive_some()
            if not chunk:
                raise EOFError
            self.data += chunk
        line, _, self.data = self.data.partition(b"\n")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    async def ended(self) -> tuple[str, str, str]:
        """How the statement that runs ends, and what it printed until then."""
        texts = {"out": "", "err": ""}
        with trio.fail_after(30):
            while True:
                for name, text in (await self.next()).items():
                    if name == "done":
                        return text, texts["out"], texts["err"]
                    texts[name] += text

    async def run(self, source: str) -> tuple[str, str, str]:
        await self.send(run=source)
        return await self.ended()

    async def out(self, source: str) -> str:
        how, out, err = await self.run(source)
        assert (how, err) == ("ok", "")
        return out


@asynccontextmanager
async def open_prompt(data_dir: Path) -> AsyncIterator[Prompt]:
    async with await trio.open_unix_socket(str(socket_path(data_dir))) as stream:
        prompt = Prompt(stream)
        await prompt.send(command="remote")
        assert "banner" in (await prompt.next())["ok"]
        yield prompt


@asynccontextmanager
async def service(data_dir: Path, **names: object) -> AsyncIterator[ActorRef]:
    roots: list[ActorRef] = []

    async def hello(_arguments: Mapping[str, Any]) -> object:
        return "hello"

    def at_hand() -> Mapping[str, object]:
        return {"secret": SecretStr("hush"), **Actors(lambda: roots[0]).names(), **names}

    def control() -> Control:
        prompt = Remote("nexus", at_hand)
        return Control(data_dir=data_dir, commands={"hello": hello}, sessions={"remote": prompt})

    children = [ChildSpec("Counter", Counter), ChildSpec("Control", control)]
    async with open_tree(lambda: Supervisor(children, name="Root")) as root:
        roots.append(root)
        yield root


async def test_expressions_are_shown_and_statements_share_their_names(tmp_path: Path) -> None:
    async with service(tmp_path), open_prompt(tmp_path) as prompt:
        assert await prompt.out("1 + 1") == "2\n"
        assert await prompt.out("_ + 1; None") == "3\n"
        assert await prompt.out("async def f(x):\n    return x + 1\n") == ""
        assert await prompt.out("y = await f(1)\ny\nfor i in range(2): i") == "2\n0\n1\n"
        assert await prompt.out("secret") == "SecretStr('**********')\n"
        assert "put await before it" in await prompt.out("g = f(1)\ng\ng.close()")


async def test_actors_are_looked_into_by_their_names(tmp_path: Path) -> None:
    import supervisors

    async with service(tmp_path, Double=Double) as root, open_prompt(tmp_path) as prompt:
        assert await prompt.out("await call('Counter', Double())") == "42\n"
        assert await prompt.out("await cast('Counter', 1); await get_state('Counter')") == (
            "{'count': 22}\n"
        )
        assert await prompt.out("await whereis('nobody')") == ""
        lines = (await prompt.out("await tree()")).splitlines()
        assert [line.split("  ")[0] for line in lines] == ["Root", "├─ Counter", "└─ Control"]
        assert lines[1].endswith(f"pid {(await supervisors.tree(root)).children[0].pid}, idle")
        how, _, err = await prompt.run("await call('nobody', 1)")
        assert how == "failed"
        assert "no actor is named 'nobody'" in err


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise BaseExceptionGroup('', [KeyboardInterrupt(), SystemExit()])", "SystemExit"),
        ("def f(): return f()\nf()", "RecursionError"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("await trio.sleep(0); raise StopIteration", "StopIteration"),
        ("raise trio.Cancelled._create()", "Cancelled"),
        ("async with trio.open_nursery() as n: n.start_soon(trio.sleep, 'no')", "TypeError"),
        ("input()", "EOFError"),
        ("import asyncio; await asyncio.sleep(1)", "RuntimeError"),
        ("if", "SyntaxError"),
        ("(" * 300, "SyntaxError"),
        ("return 1", "SyntaxError"),
        ("'\\0' if 0 else \0", "null"),
    ],
)
async def test_what_a_statement_raises_is_told_to_its_asker_alone(
    source: str, told: str, tmp_path: Path
) -> None:
    async with service(tmp_path) as root, open_prompt(tmp_path) as prompt:
        if told == "Cancelled":  # how it is made by hand differs between releases
            source = "try:\n  with trio.fail_after(0): await trio.sleep(1)\n" + (
                "except trio.TooSlowError as e:\n  raise e.__context__ or e.__cause__"
            )
        how, out, err = await prompt.run(source)
        assert (how, out) == ("failed", "")
        assert told in err
        assert "operations/remote" not in err or told == "StopIteration"  # it became another
        assert await prompt.out("1") == "1\n"
        assert await ask(tmp_path, "hello") == "hello"
        assert root.is_alive


async def test_a_session_that_breaks_its_own_scopes_ends_alone(tmp_path: Path) -> None:
    async with service(tmp_path) as root:
        control = await Actors(lambda: root).whereis("Control")
        async with open_prompt(tmp_path) as prompt:
            with pytest.raises((EOFError, trio.BrokenResourceError)):
                await prompt.run("trio.CancelScope().__enter__(); None")
        assert await Actors(lambda: root).whereis("Control") == control
        assert await ask(tmp_path, "hello") == "hello"


async def test_leaving_is_a_statement_too(tmp_path: Path) -> None:
    async with service(tmp_path), open_prompt(tmp_path) as prompt:
        assert await prompt.run("exit()") == ("exit", "", "")
        assert await prompt.run("raise SystemExit(3)") == ("exit", "", "")


async def test_what_is_printed_goes_to_the_asker_and_to_nobody_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with service(tmp_path), open_prompt(tmp_path) as one, open_prompt(tmp_path) as other:
        await one.send(run="print('a')\nawait trio.sleep_forever()")
        assert await one.next() == {"out": "a\n"}
        sys.stdout.write("ours\n")
        source = (
            "import sys, pprint\npprint.pprint([1])\nawait trio.sleep(0)\nprint(2, file=sys.stderr)"
        )
        assert await other.run(source) == ("ok", "[1]\n", "2\n")
        await one.send(interrupt=True)
        assert await one.ended() == ("interrupted", "", "")
    lines = capsys.readouterr().out.splitlines()
    assert [it for it in lines if it in ("a", "[1]", "2", "ours")] == ["ours"]
    assert sys.displayhook is sys.__displayhook__


async def test_what_is_shown_and_what_is_printed_have_bounds(tmp_path: Path) -> None:
    async with service(tmp_path), open_prompt(tmp_path) as prompt:
        for source in (
            "'x' * 10**6",
            "[[9] * 10**5] * 10**4",
            "{i: 'x' * 10**4 for i in range(99)}",
        ):
            assert len(await prompt.out(source)) < 1.1 * LONGEST_SHOWN
        out = await prompt.out("for i in range(10**5): print('x' * 100)")
        assert len(out) < 1.1 * MOST_UNSENT
        assert out.endswith("more was printed than could be sent meanwhile\n")
        assert await prompt.out("print(2)") == "2\n"


async def test_an_interruption_is_of_the_statement_and_so_is_not_of_the_session(
    tmp_path: Path,
) -> None:
    async with service(tmp_path), open_prompt(tmp_path) as prompt:
        await prompt.send(run="try:\n  await trio.sleep_forever()\nfinally: print('put in order')")
        await prompt.send(interrupt=True)
        assert await prompt.ended() == ("interrupted", "put in order\n", "")
        await prompt.send(interrupt=True)  # of nothing
        assert await prompt.out("1") == "1\n"


async def test_a_session_ends_with_its_asker_and_takes_along_what_it_started(
    tmp_path: Path,
) -> None:
    begun, ended = trio.Semaphore(0), trio.Semaphore(0)

    async def work() -> None:
        begun.release()
        try:
            await trio.sleep_forever()
        finally:
            ended.release()

    async with service(tmp_path, work=work):
        async with open_prompt(tmp_path) as prompt:
            assert await prompt.out("spawn(work)") == ""
            await prompt.send(run="await work()")
            with trio.fail_after(30):
                await begun.acquire()
                await begun.acquire()
        with trio.fail_after(30):
            await ended.acquire()
            await ended.acquire()


async def test_what_a_started_task_raises_is_shown_and_ends_nothing(tmp_path: Path) -> None:
    async with service(tmp_path), open_prompt(tmp_path) as prompt:
        await prompt.run("async def f(x): print(x); raise SystemError")
        _, out, err = await prompt.run("spawn(f, 5)")
        with trio.fail_after(30):
            while not err:
                answer = await prompt.next()
                out, err = out + answer.get("out", ""), answer.get("err", "")
        assert out == "5\n"
        assert "SystemError" in err
        assert await prompt.out("1") == "1\n"


async def test_names_are_completed(tmp_path: Path) -> None:
    class Odd:
        __slots__ = ("_hidden", "plain")

        @property
        def broken(self) -> int:
            raise ZeroDivisionError

        @property
        def ending(self) -> int:
            raise SystemExit

    async with service(tmp_path, odd=Odd()), open_prompt(tmp_path) as prompt:
        for text, expected in {
            "get_st": ["get_state"],
            "odd.": ["odd.broken", "odd.ending", "odd.plain"],
            "odd._h": ["odd._hidden"],
            "odd.broken.": [],
            "odd.ending.": [],
            "nobody.": [],
            "awai": ["await"],
        }.items():
            await prompt.send(complete=text)
            assert await prompt.next() == {"completions": expected, "of": text}


async def test_so_many_sessions_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "MOST_SESSIONS", 1)
    async with service(tmp_path):
        async with open_prompt(tmp_path):
            with pytest.raises(ControlError, match="1 sessions"):
                await ask(tmp_path, "remote")
        with trio.fail_after(30):
            while True:
                try:
                    await ask(tmp_path, "remote")
                except ControlError:
                    continue
                break


async def test_each_line_is_logged_with_its_user_and_no_output_is(tmp_path: Path) -> None:
    with capture_logs() as entries:
        async with service(tmp_path), open_prompt(tmp_path) as prompt:
            await prompt.out("x = 6 * 7\nprint(x)")
    told = [it for it in entries if "user" in it]
    assert [it["line"] for it in told if "line" in it] == ["x = 6 * 7", "print(x)"]
    assert {(it["user"], it["log_level"]) for it in told} == {
        (pwd.getpwuid(os.geteuid()).pw_name, "info")
    }
    assert not any("42" in str(value) for it in told for value in it.values())


async def test_nonsense_ends_the_session_and_nothing_else(tmp_path: Path) -> None:
    async with service(tmp_path):
        for line in (b"\n", b"[]\n", b'{"run": 1}\n', b"[" * 10_000 + b"\n"):
            async with open_prompt(tmp_path) as prompt:
                await prompt.stream.send_all(line)
                with pytest.raises((EOFError, trio.BrokenResourceError)):
                    await prompt.next()
        assert await ask(tmp_path, "hello") == "hello"
