"""What `nexus doctor` says of providers and their keys, by servers that answer, refuse and hang."""

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.doctor import keys
from nexus_actors.doctor.finding import CheckResult
from tests.doctors import House, assert_result
from tests.http_server import Reply, ScriptedServer, scripted_server

KEY = "sk-canary-0123456789"
TABLE = """
[providers.{name}]
kind = "{kind}"
base_url = "{url}/{name}"
api_key_env = "{key}"
{more}
[[routes]]
models = ["{name}/{model}"]
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def listed(*names: str) -> Reply:
    return Reply(body={"object": "list", "data": [{"id": it} for it in names]})


def table(name: str, server: ScriptedServer, **changes: str) -> str:
    values = {"kind": "openai_compatible", "model": "m-1", "more": "", "key": f"{name}_key".upper()}
    return TABLE.format(**{**values, "name": name, "url": server.url, **changes})


async def looked(
    house: House, toml: str, names: Iterable[str], **given: Any
) -> dict[str, list[CheckResult]]:
    house.configure(toml)
    environ = {f"{name.upper()}_KEY": KEY for name in names}
    found: dict[str, list[CheckResult]] = {}
    for told in await house.look("providers", environ=environ, **given):
        found.setdefault(told.finding.subject, []).append(told)
    return found


REPLIES: dict[str, tuple[Reply, str, str, str]] = {
    # what its list of models is answered with; the verdict; words of cause and fix
    "well": (listed("m-1-2026-11-01", "m-2"), "ok", "answers, and takes WELL_KEY", ""),
    "refused": (
        Reply(status=401, body={"error": {"message": f"bad key {KEY}", "code": "invalid_api_key"}}),
        "wrong",
        "REFUSED_KEY is refused: HTTP 401: bad key [key]",
        "put a good key into REFUSED_KEY",
    ),
    "forbidden": (
        Reply(status=403, body={"error": {"message": "no"}}),
        "advice",
        "FORBIDDEN_KEY is refused: HTTP 403",
        "nexus ask",
    ),
    "spent": (
        Reply(status=429, body={"error": {"message": "pay", "code": "insufficient_quota"}}),
        "wrong",
        "SPENT_KEY is spent",
        "pay, or raise the limit",
    ),
    "listless": (Reply(status=404, body=""), "not checked", "no free call that we know of", ""),
    "ill": (Reply(status=503, body=""), "advice", "HTTP 503", "status page"),
}


async def test_what_each_answer_means(house: House) -> None:
    script = {f"/{name}/models": reply for name, (reply, *_) in REPLIES.items()}
    async with scripted_server(script) as server:
        found = await looked(house, "".join(table(name, server) for name in REPLIES), REPLIES)
        asked = {(it.method, it.path, it.headers.get("authorization")) for it in server.requests}
    for name, (_, *expected) in REPLIES.items():
        (told,) = found[name]
        assert_result(told, *expected)
    assert asked == {("GET", f"/{name}/models", f"Bearer {KEY}") for name in REPLIES}
    assert KEY not in repr(found)


async def test_a_server_that_hangs_holds_up_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_SHARE", 0.005)
    async with scripted_server({"*": Reply(breaks="hang")}) as server:
        toml = table("frozen", server) + '[providers.e]\nkind = "echo"\n'
        with trio.fail_after(60):
            found = await looked(house, toml, ["frozen"])
    (frozen,), (other,) = found["frozen"], found["e"]
    assert_result(frozen, "wrong", "no answer within 0.3 s", "correct [providers.frozen] base_url")
    assert_result(other, "not checked", "kind echo")


async def test_a_model_that_the_server_does_not_have_is_told(house: House) -> None:
    script = {"*": listed("m-2", "gpt-6-luna")}
    async with scripted_server(script) as server:
        toml = table("one", server, model="gpt-6-lunar")
        found = await looked(house, toml, ["one"])
    well, unknown = found["one"]
    assert_result(well, "ok", "answers")
    assert_result(unknown, "advice", "one/gpt-6-lunar, which a route names", "one/gpt-6-luna?")


KINDS: dict[str, tuple[str, str, Any]] = {
    "anthropic": ("/models?limit=1000", "x-api-key", {"data": [{"id": "m-1"}], "has_more": False}),
    "gemini": ("/models?pageSize=1000", "x-goog-api-key", {"models": [{"name": "models/m-1"}]}),
    "openai": ("/models", "authorization", {"data": [{"id": "m-1"}]}),
}


@pytest.mark.parametrize("transport", ["native", "httpx2"])
async def test_each_kind_is_asked_in_its_own_way(house: House, transport: str) -> None:
    script = {f"/{kind}{path}": Reply(body=body) for kind, (path, _, body) in KINDS.items()}
    async with scripted_server(script) as server:
        more = f'transport = "{transport}"'
        toml = "".join(table(kind, server, kind=kind, more=more) for kind in KINDS)
        found = await looked(house, toml, KINDS)
        by_path = {it.path: it for it in server.requests}
    for kind, (path, header, _) in KINDS.items():
        (told,) = found[kind]
        assert_result(told, "ok", f"takes {kind.upper()}_KEY")
        request = by_path[f"/{kind}{path}"]
        assert (request.method, request.body) == ("GET", b"")
        assert KEY in request.headers[header]
        assert "content-type" not in request.headers
        assert "content-length" not in request.headers


async def test_a_key_is_proved_only_where_it_is_asked_for(house: House) -> None:
    presets = {"openrouter": "/openrouter/key", "llama_cpp": "/llama_cpp/models"}
    async with scripted_server({"*": listed("other")}) as server:
        toml = "".join(table(it, server, more=f'preset = "{it}"') for it in presets)
        found = await looked(house, toml, presets)
        paths = {it.path for it in server.requests}
    assert paths == set(presets.values())
    assert_result(found["openrouter"][0], "ok", "takes OPENROUTER_KEY")
    assert_result(found["llama_cpp"][0], "not checked", "only a call that costs would tell")


async def test_a_server_that_is_not_there_is_told_with_its_place(house: House) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        place = f"127.0.0.1:{free.getsockname()[1]}"
        house.configure(
            f'[providers.box]\nkind = "openai_compatible"\nbase_url = "http://{place}/v1"\n'
            '[providers.e]\nkind = "echo"\n[[routes]]\nmodels = ["box/m", "e/m"]\n'
        )
        box, echo = await house.look("providers")
    assert_result(
        box, "wrong", f"cannot connect to {place}: connection refused", "start that server"
    )
    assert_result(echo, "not checked", "kind echo")


async def test_nobody_is_called_offline(house: House) -> None:
    async with scripted_server() as server:
        found = await looked(house, table("one", server), ["one"], offline=True)
        assert server.requests == []
    (told,) = found[""]
    assert_result(told, "not checked", "--offline")
