"""CONTRIBUTING.md's new provider works as it stands there: found by its name, asked over HTTP."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import nexus_actors.providers as folder
from nexus_actors.contract.result import Answer
from nexus_actors.providers import kinds
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.settings import Settings, parse_settings
from tests.http_server import Reply, scripted_server
from tests.integration.providers.helpers import LONG, REQUEST, connected, events
from tests.service import running_service

PAGE = (Path(__file__).resolve().parents[3] / "CONTRIBUTING.md").read_text()
SECTION = PAGE[PAGE.index("## A new provider") : PAGE.index("## A new migration")]
ANSWER = {"text": "Beep.", "stopped": "end", "tokens": {"in": 9, "out": 2}}


@pytest.fixture(autouse=True)
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of the walk-through in the folder of providers, as far as imports can tell."""
    (code,) = re.findall(r"^```python\n(.*?)^```", SECTION, re.M | re.S)
    (tmp_path / "acme.py").write_text(code)
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    kinds.load_kind.cache_clear()
    kinds._module_names.cache_clear()
    sys.modules.pop("nexus_actors.providers.acme", None)


def config(url: str) -> dict[str, Any]:
    """The walk-through's, for a server of ours."""
    return {
        "providers": {"acme": {"kind": "acme", "base_url": url, "pool_size": 2}},
        "routes": [{"complexity": "*", "task_type": "*", "models": ["acme/anvil-2"]}],
    }


def test_its_name_is_a_kind_without_being_registered() -> None:
    assert "acme" in kinds.kind_names()
    (text,) = re.findall(r"^```text\n(.*?)^```", SECTION, re.M | re.S)
    settings = parse_settings(tomllib.loads(text), {"ACME_API_KEY": "sk-acme"})
    assert isinstance(settings, Settings), settings
    assert list(settings.providers) == ["acme"]
    assert str(settings.routes[0].models[0]) == "acme/anvil-2"


async def test_a_request_goes_through_a_running_service(database_url: str, tmp_path: Path) -> None:
    script = {"/v1/answers": Reply(body=ANSWER)}
    asked = {
        "request_id": "one",
        "agent_id": "a",
        "complexity": "simple",
        "max_tokens": 50,
        "seed": 7,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Say something."},
        ],
    }
    async with scripted_server(script) as server:
        data_dir = tmp_path / "data"
        data_dir.mkdir()
        async with running_service(database_url, data_dir, **config(f"{server.url}/v1")) as service:
            await service.sql.send(asked)
            await service.stored(1)
            (result,) = await service.sql.results()
        (call,) = server.requests
    assert (result["status"], result["response"]) == ("ok", "Beep.")
    assert (result["provider"], result["model"]) == ("acme", "anvil-2")
    assert result["dropped"] == ["seed"]
    assert result["usage"]["total_tokens"] == 11
    assert call.json == {
        "model": "anvil-2",
        "said": [
            {"speaker": "system", "text": "Be brief."},
            {"speaker": "user", "text": "Say something."},
        ],
        "stream": False,
        "limit": 50,
    }


async def test_a_stream_is_heard_as_it_comes() -> None:
    last = {"stopped": "limit", "tokens": {"in": 9, "out": 2}}
    reply = events({"piece": "Be"}, {"piece": "ep."}, last, done=False)
    heard: list[str] = []
    async with connected({"*": reply}, kind="acme", by_the_rules=False) as (server, session):
        answer = await session.complete(REQUEST, "anvil-2", timeout=LONG, on_text=heard.append)
        (call,) = server.requests
    assert isinstance(answer, Answer)
    assert heard == ["Be", "ep."]
    assert (answer.response, answer.finish_reason) == ("Beep.", "length")
    assert call.json["stream"] is True


async def test_what_it_cannot_say_is_refused_before_it_is_asked() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    async with connected({}, kind="acme", by_the_rules=False) as (server, session):
        outcome = await session.complete(
            structs.replace(REQUEST, tools=(tool,)), "anvil-2", timeout=LONG
        )
        assert server.requests == []
    assert isinstance(outcome, ProviderFailure)
    assert outcome.type == "request_rejected"


async def test_an_answer_without_a_text_is_a_failure() -> None:
    script = {"*": Reply(body={"tokens": {"in": 9, "out": 0}})}
    async with connected(script, kind="acme", by_the_rules=False) as (_, session):
        outcome = await session.complete(REQUEST, "anvil-2", timeout=LONG)
    assert isinstance(outcome, ProviderFailure)
    assert outcome.maybe_paid
