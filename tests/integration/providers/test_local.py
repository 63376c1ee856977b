"""A real model in a process of ours: it answers, it comes back, and it leaves nothing behind."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import trio
import trio.testing

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer
from nexus_actors.providers.local import PROVIDER
from nexus_actors.providers.local_model import weights
from nexus_actors.providers.local_model.address import Address, Down, Listening
from nexus_actors.providers.port import Outcome, ProviderFailure, ProviderSession, ServedKind
from supervisors import ChildSpec, Supervisor, open_tree

QUESTION = LLMRequest(
    request_id="r",
    complexity="simple",
    messages=({"role": "user", "content": "Say hello."},),
    max_tokens=8,
    temperature=0.0,
)


class Running:
    """The server below a supervisor of its own, and one session with it."""

    def __init__(self, session: ProviderSession) -> None:
        self.session = session

    async def ask(self, request: LLMRequest = QUESTION, **options: Any) -> Outcome:
        options = {"model": weights.MODEL, "timeout": 60.0} | options
        return await self.session.complete(request, **options)

    async def process(self) -> psutil.Process:
        """The model's process, once it is there."""
        while True:
            for child in psutil.Process().children():
                with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    if any(part.endswith("child.py") for part in child.cmdline()):
                        return child
            await trio.sleep(0.01)


@asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[Running]:
    assert isinstance(PROVIDER, ServedKind)
    settings = PROVIDER.settings.model_validate({"kind": "local", "pool_size": 1, **changes})
    served = PROVIDER.serve("toy", settings)
    tree = Supervisor([ChildSpec("toy.Server", served.server)], max_restarts=5)
    async with open_tree(lambda: tree), served.open("toy", settings, None) as session:
        yield Running(session)


async def test_it_answers_counts_and_costs_nothing() -> None:
    async with running() as model:
        answer = await model.ask()
    assert isinstance(answer, Answer)
    assert answer.response
    assert answer.provider == "toy"
    assert answer.model == weights.MODEL
    assert 0 < answer.usage.completion_tokens <= 8
    assert answer.usage.prompt_tokens > 0
    assert answer.cost == 0.0


async def test_a_stream_comes_in_pieces() -> None:
    pieces: list[str] = []
    async with running() as model:
        answer = await model.ask(on_text=pieces.append)
    assert isinstance(answer, Answer)
    assert len(pieces) > 1
    assert "".join(pieces) == answer.response
    assert answer.seconds_to_first_text is not None


async def test_an_answer_has_an_end() -> None:
    endless = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=({"role": "user", "content": "Count to a million."},),
    )
    async with running(max_tokens=16) as model:
        answer = await model.ask(endless)
    assert isinstance(answer, Answer)
    assert answer.usage.completion_tokens <= 16


async def test_a_model_that_dies_is_started_again_and_calls_wait_for_it() -> None:
    async with running() as model:
        await model.ask()
        first = await model.process()
        first.kill()
        with trio.fail_after(60):
            while (await model.process()).pid == first.pid:
                await trio.sleep(0.01)
        assert isinstance(await model.ask(), Answer)


async def test_a_call_that_it_dies_in_fails_and_may_be_repeated() -> None:
    request = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=({"role": "user", "content": "Count to a million."},),
        seed=1,
    )
    async with running() as model, trio.open_nursery() as nursery:
        began = trio.Event()

        async def call() -> None:
            outcome = await model.ask(request, on_text=lambda _: began.set())
            assert isinstance(outcome, ProviderFailure)
            assert outcome.retryable

        nursery.start_soon(call)
        await began.wait()
        (await model.process()).kill()


async def test_the_process_is_gone_with_the_tree() -> None:
    async with running() as model:
        await model.ask()
        process = await model.process()
    assert not process.is_running()


async def test_the_process_is_gone_with_a_killed_parent(tmp_path: Path) -> None:
    program = """
import sys, trio
from tests.integration.providers.test_local import running

async def main():
    async with running() as model:
        await model.ask()
        print((await model.process()).pid, file=sys.stderr, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""
    run = partial(
        trio.run_process,
        [sys.executable, "-c", program],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            parent = await nursery.start(run)
            child = psutil.Process(int(await parent.stderr.receive_some()))
            parent.kill()
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            await trio.sleep(0.01)


async def test_nobody_else_may_use_it_and_it_knows_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("LD_CANARY_KEY", "sk-canary")
    async with running() as model:
        await model.ask()
        process = await model.process()
        assert "sk-canary" not in str(process.environ())
        (port,) = [it.laddr for it in process.net_connections("tcp") if it.status == "LISTEN"]
        assert port.ip == "127.0.0.1"
        url = f"http://127.0.0.1:{port.port}/v1/chat/completions"
        async with httpx2.AsyncClient() as stranger:
            refused = await stranger.post(url, json={"messages": []})
        assert refused.status_code == 401


async def test_what_is_no_model_is_said_and_calls_do_not_wait(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF, but no more than that")
    async with running(model_file=str(file)) as model:
        outcome = await model.ask()
    assert isinstance(outcome, ProviderFailure)
    assert outcome.type == "connection_failed"
    assert outcome.message.startswith("the model's process ended (status ")
    assert outcome.retryable
    assert not outcome.maybe_paid


async def test_a_model_that_takes_too_long_to_load_is_given_up() -> None:
    async with running(start_timeout=0.001) as model:
        outcome = await model.ask()
    assert isinstance(outcome, ProviderFailure)
    assert outcome.message == "the model was not loaded within 0.001 s"


async def test_a_call_waits_no_longer_than_it_may() -> None:
    async with running() as model:
        outcome = await model.ask(timeout=0.0)
    assert isinstance(outcome, ProviderFailure)
    assert outcome.type == "timeout"
    assert not outcome.maybe_paid


async def test_another_models_name_is_refused() -> None:
    async with running() as model:
        outcome = await model.ask(model="gpt-6-luna")
    assert isinstance(outcome, ProviderFailure)
    assert outcome.type == "model_unavailable"
    assert not outcome.retryable


async def test_a_process_that_ends_again_and_again_is_started_ever_less_often(
    autojump_clock: trio.testing.MockClock,
) -> None:
    address = Address()
    pauses = []
    for _ in range(9):
        address.starts()
        address.is_gone("it ended")
        pauses.append(address.pause)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert await address.known() == Down("it ended")
    address.starts()
    address.is_here(Listening("http://127.0.0.1:1", "key"))
    await trio.sleep(60)
    address.is_gone("it ended")
    assert address.pause == 0
    with trio.move_on_after(1) as waiting:
        await address.known()  # it is started again at once
    assert waiting.cancelled_caught
