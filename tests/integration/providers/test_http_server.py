"""The scripted server itself: what other tests rely on."""

import subprocess
import sys

import httpx2
import trio

from tests.http_server import Reply, completion, scripted_server


async def post(url: str, path: str, model: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        return await client.post(url + path, json={"model": model})


async def test_model_then_path_then_star() -> None:
    script = {"m": Reply(body="model"), "/p": Reply(body="path"), "*": Reply(body="any")}
    async with scripted_server(script) as server:
        told = [
            (await post(server.url, path, model)).text
            for path, model in (("/p", "m"), ("/p", "x"), ("/x", "x"))
        ]
    assert told == ["model", "path", "any"]


async def test_a_list_is_answered_one_by_one_and_its_last_from_then_on() -> None:
    async with scripted_server({"*": [Reply(status=503), Reply(status=200)]}) as server:
        statuses = [(await post(server.url, "/", "m")).status_code for _ in range(4)]
    assert statuses == [503, 200, 200, 200]


async def test_without_a_script_it_completes_and_records() -> None:
    async with scripted_server() as server:
        assert (await post(server.url, "/v1/chat/completions", "m")).json() == completion()
        [request] = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert (request.json, request.connection) == ({"model": "m"}, 0)
    assert request.headers["content-type"] == "application/json"


async def test_what_is_no_http_ends_its_connection_only() -> None:
    async with scripted_server() as server:
        host, port = server.url.removeprefix("http://").split(":")
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(b"\x16\x03\x01 nonsense\r\n\r\n")
            with trio.fail_after(60):
                while await stream.receive_some(1024):
                    pass
        assert (await post(server.url, "/", "m")).status_code == 200


async def test_as_a_program_it_prints_its_url_and_answers_by_model() -> None:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "tests.http_server", "--port", "0"], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        with trio.fail_after(60):
            url = (await process.stdout.receive_some()).decode().strip()
            assert (await post(url, "/v1/chat/completions", "status-503")).status_code == 503
            answer = (await post(url, "/v1/chat/completions", "any")).json()
    finally:
        process.kill()
        await process.wait()
    assert answer["model"] == "any"
