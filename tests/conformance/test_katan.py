"""Every kind of provider against llm-katan's imitation of its API, written by others than us and
than the providers."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer
from nexus_actors.providers import anthropic, openai_compatible
from nexus_actors.providers.apis.generate_content.api import GenerateContentApi
from nexus_actors.providers.gemini import GeminiSettings
from nexus_actors.providers.http.kind import HttpKind
from nexus_actors.providers.port import ProviderFailure, ProviderSession
from tests.integration.providers.helpers import KEY, LONG, PROMPT, REQUEST
from tests.unit.providers.conversations import EVERY_KIND

KATAN = Path(sys.executable).with_name("llm-katan")
MODEL = "gemini-3.8-flash"


class _Bearer(GenerateContentApi):
    """The imitation takes keys as Vertex AI does; all else is the API as we speak it."""

    def headers(self, key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {key}"}


KINDS = {
    "openai_compatible": ("/v1", openai_compatible.PROVIDER),
    "anthropic": ("/v1", anthropic.PROVIDER),
    "gemini": ("/v1beta", HttpKind(GeminiSettings, lambda _: _Bearer())),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    stats = tmp_path_factory.mktemp("katan") / "stats.json"
    names = ("openai", "anthropic", "vertexai")
    keys = ",".join(f"{name}={KEY}" for name in names)
    options = ["-m", "m", "-b", "echo", "--providers", ",".join(names), "-h", "127.0.0.1"]
    options += ["-p", "0", "--validate-keys", "--api-keys", keys, "--stats-file", str(stats)]
    with subprocess.Popen(
        [KATAN, *options, "--disable-dashboard"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        while not (found := re.search(r"running on (http://127\.0\.0\.1:[1-9]\d*)", said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        yield found[1]
        process.terminate()


@asynccontextmanager
async def connected(kind: str, url: str, key: str = KEY) -> AsyncIterator[ProviderSession]:
    path, provider = KINDS[kind]
    settings = provider.settings.model_validate(
        {"kind": kind, "base_url": url + path, "free": True}
    )
    async with provider.open("katan", settings, SecretStr(key)) as session:
        yield session


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EVERY_KIND)
async def test_every_kind_of_request_is_answered(url: str, name: str, kind: str) -> None:
    request = LLMRequest(request_id="r", complexity="simple", **EVERY_KIND[name])
    async with connected(kind, url) as session:
        found = await session.complete(request, MODEL, timeout=LONG)
    assert isinstance(found, Answer), found
    assert found.usage.total_tokens > 0
    # It calls the first function of any request that has one.
    functions = any(tool["type"] == "function" for tool in request.tools)
    assert [call["function"]["name"] for call in found.tool_calls] == ["weather"] * functions
    assert found.finish_reason == ("tool_calls" if functions else "stop")
    if kind != "anthropic":  # where it says something beside its calls
        assert (found.response is None) is functions


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_comes_in_pieces_and_to_the_same(url: str, kind: str) -> None:
    told: list[str] = []
    async with connected(kind, url) as session:
        found = await session.complete(REQUEST, MODEL, timeout=LONG, on_text=told.append)
    assert isinstance(found, Answer)
    assert found.response == "".join(told)
    assert PROMPT in "".join(told)
    assert len(told) > 2
    assert found.finish_reason == "stop"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_wrong_key_is_refused_and_no_key_is_quoted(
    url: str, stream: bool, kind: str
) -> None:
    listen = (lambda _: None) if stream else None
    async with connected(kind, url, key="sk-wrong-12345") as session:
        failure = await session.complete(REQUEST, MODEL, timeout=LONG, on_text=listen)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.status_code) == ("authentication_failed", 401)
    assert "sk-wrong" not in failure.message
