"""URLs of a request: what is let through, and what is not however it is written."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.urls import refusal, request_urls, resolved_refusal


def picture(url: str) -> LLMRequest:
    part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    return asked(messages=({"role": "user", "content": [part]},))


def asked(**fields: Any) -> LLMRequest:
    fields = {"messages": ({"role": "user", "content": "x"},)} | fields
    return LLMRequest(request_id="r", complexity="simple", **fields)


@pytest.mark.parametrize(
    "url",
    [
        "https://img.example.com/cat.png?size=1",
        "https://img.example.com:8443/cat.png",
        "https://8.8.8.8/x",
        "https://[2606:4700::1111]/x",
        "https://bücher.example/x",
        "data:image/png;base64,AAAA",
        "DATA:image/png;base64,AAAA",
    ],
)
def test_public_ones_pass(url: str) -> None:
    assert refusal(picture(url), ("*",)) is None


NOT_FETCHED = [
    "http://img.example.com/cat.png",
    "ftp://img.example.com/",
    "file:///etc/passwd",
    "https://",
    "//img.example.com/x",
    "https://user:canary@img.example.com/",
    "https://img.example.com:99999/",
    "https://[::1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://172.16.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::a00:1]/",
    "https://[2002:a00:1::]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://intranet/",
    "https://169.254.169.254\\.example.com/",
    "https://169%2e254%2e169%2e254/",
    "https://169.254.169.254%20.example.com/",
    "https://img.example.com\t.evil.net/",
    "https://[::10.0.0.1]/",
    "https://[::ffff:0:10.0.0.1]/",
]


def test_others_do_not_and_the_url_is_not_told() -> None:
    wrong = []
    for url in NOT_FETCHED:
        why = refusal(picture(url), ("*",))
        if not (
            why is not None
            and why.startswith("messages[0].content[0].image_url.url: ")
            and "canary" not in why
            and "meta-data" not in why
        ):
            wrong.append((url, why))
    assert not wrong, "\n".join(map(repr, wrong))


def test_only_hosts_that_the_config_allows() -> None:
    allowed = ("*.example.com", "files.example.org")
    assert refusal(picture("https://img.example.com/x"), allowed) is None
    assert refusal(picture("https://files.example.org/x"), allowed) is None
    for url in ("https://example.org/x", "https://example.com.evil.net/x", "https://8.8.8.8/"):
        assert "config" in str(refusal(picture(url), allowed))


def test_an_inner_host_may_be_named_outright() -> None:
    allowed = ("*", "10.0.0.5", "wiki.internal")
    assert refusal(picture("https://10.0.0.5/x"), allowed) is None
    assert refusal(picture("https://wiki.internal/x"), allowed) is None
    assert refusal(picture("https://10.0.0.6/x"), allowed) is not None


def test_every_place_is_looked_at() -> None:
    url = "https://u.example/"
    request = asked(
        messages=(
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": url},
                    {"type": "text", "text": url},
                    {"type": "input_file", "file_url": url},
                ],
            },
        ),
        mcp_servers=({"server_label": "a", "server_url": url},),
        tools=({"type": "mcp", "server_url": url}, {"type": "function", "name": "f"}),
        input=(
            {"type": "message", "content": [{"type": "input_image", "image_url": url}]},
            {"type": "function_call_output", "output": [{"type": "input_file", "file_url": url}]},
        ),
    )
    assert [path for path, _ in request_urls(request)] == [
        "messages[0].content[0].image_url",
        "messages[0].content[2].file_url",
        "mcp_servers[0].server_url",
        "tools[0].server_url",
        "input[0].content[0].image_url",
        "input[1].output[0].file_url",
    ]


def test_also_those_of_parts_that_are_not_known_here() -> None:
    cases = [
        {"type": "video_url", "video_url": {"url": "http://10.0.0.1/"}},
        {"type": "audio_url", "audio_url": {"url": "http://10.0.0.1/"}},
        {"type": "input_image", "image_url": {"url": "http://10.0.0.1/"}},
        {"type": "x", "image_url": "http://10.0.0.1/"},
        {"type": "input_file", "file_data": "data:,x", "file_url": "http://10.0.0.1/"},
        {"type": "text", "text": "x", "image_url": {"url": "http://10.0.0.1/"}},
        {"type": "image", "source": {"type": "url", "url": "http://10.0.0.1/"}},
        {"type": "video_url", "video_url": {"url": ["http://10.0.0.1/"]}},
    ]
    wrong = []
    for part in cases:
        request = asked(messages=({"role": "user", "content": [part]},))
        if refusal(request, ("*",)) is None:
            wrong.append((part, list(request_urls(request))))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    "fields",
    [
        {
            "input": (
                {
                    "type": "computer_call_output",
                    "output": {"type": "computer_screenshot", "image_url": "http://10.0.0.1/"},
                },
            )
        },
        {
            "tools": (
                {
                    "type": "image_generation",
                    "input_image_mask": {"image_url": "http://10.0.0.1/"},
                },
            )
        },
    ],
)
def test_also_those_of_items_and_tools_of_any_kind(fields: dict[str, Any]) -> None:
    assert refusal(asked(**fields), ("*",)) is not None


def test_what_nobody_fetches_is_let_alone() -> None:
    url = "http://10.0.0.1/"
    cited = [{"type": "url_citation", "url": url}]
    said = {"type": "output_text", "text": url, "annotations": cited}
    searched = {"type": "web_search_call", "action": {"type": "open_page", "url": url}}
    schema = {"type": "object", "properties": {"image_url": {"type": "string", "url": url}}}
    request = asked(
        messages=({"role": "assistant", "content": [said]},),
        input=({"role": "assistant", "content": [said]}, searched),
        tools=({"type": "function", "name": "f", "parameters": schema},),
    )
    assert list(request_urls(request)) == []


INSIDE = "http://169.254.169.254/latest"


def said(part: dict[str, Any]) -> LLMRequest:
    return asked(messages=({"role": "user", "content": [part]},))


BEGIN_AS_URLS = [
    {"type": "file", "file": {"file_data": INSIDE}},
    {"type": "input_file", "file_data": INSIDE},
    {"type": "input_file", "file_data": f" \n{INSIDE}"},
    {"type": "input_file", "file_data": "HTTP://169.254.169.254/"},
    {"type": "input_file", "file_data": "ht\ntp://169.254.169.254/"},
    {"type": "input_file", "file_data": "http:169.254.169.254/"},
    {"type": "input_file", "file_data": "http:\\\\169.254.169.254/"},
    {"type": "input_file", "file_data": "gopher://169.254.169.254/"},
    {"type": "file", "file": {"file_id": INSIDE}},
    {"type": "input_audio", "input_audio": INSIDE},
    {"type": "input_audio", "input_audio": {"data": INSIDE, "format": "wav"}},
    {"type": "video", "video": INSIDE},
    {"type": "video", "video": [INSIDE]},
    {"type": "image", "image": INSIDE},
    {"type": "image", "source": {"type": "base64", "data": INSIDE}},
    {"type": "document", "source": INSIDE},
    {"type": "image_url", "image_url": {"URL": "//169.254.169.254/"}},
    {"type": "image_url", "imageURL": "//169.254.169.254/"},
    {"type": "x", "results": [{"image_url": INSIDE}]},
    {"type": "x", "action": {"url": INSIDE}},
    {"type": "x", "annotations": [INSIDE]},
    {"type": "x", "text": {"image": INSIDE}},
]


def test_a_text_that_begins_as_a_url_is_one() -> None:
    wrong = []
    for part in BEGIN_AS_URLS:
        item = {"type": "message", "role": "user", "content": [part]}
        found = (refusal(said(part), ("*",)), refusal(asked(input=(item,)), ("*",)))
        if None in found:
            wrong.append((part, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": INSIDE},
        {"type": "refusal", "refusal": INSIDE},
        {"type": "thinking", "thinking": INSIDE, "signature": "A=="},
        {"type": "document", "source": {"type": "text", "data": INSIDE}, "title": INSIDE},
        {"type": "file", "file": {"file_data": "AAAA////", "filename": INSIDE}},
        {"type": "text", "text": "x", "citations": [{"url": INSIDE}]},
    ],
)
def test_what_the_model_reads_is_none(part: dict[str, Any]) -> None:
    assert refusal(said(part), ()) is None


def test_texts_of_messages_calls_and_results_are_none() -> None:
    call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": INSIDE}
    request = asked(
        messages=({"role": "user", "content": INSIDE}, {"role": "tool", "content": INSIDE}),
        input=(
            {"role": "user", "content": INSIDE},
            call,
            {"type": "function_call_output", "call_id": "c", "output": INSIDE},
            {"type": "custom_tool_call", "name": "f", "call_id": "c", "input": INSIDE},
            {"type": "mcp_list_tools", "tools": [{"name": "f", "input_schema": {"$id": INSIDE}}]},
        ),
        mcp_servers=({"server_label": "a", "headers": {"Referer": INSIDE}},),
    )
    assert list(request_urls(request)) == []


@pytest.mark.parametrize(
    "tool",
    [
        {"function": {"type": "mcp", "name": "x", "server_url": INSIDE}},
        {"type": "function", "function": {"type": "mcp", "name": "x", "server_url": INSIDE}},
        {"type": "function", "name": "x", "server_url": INSIDE},
        {"type": "custom", "custom": {"type": "mcp", "server_url": INSIDE}},
        {"type": "shell", "environment": {"skills": [{"source": INSIDE}]}},
        {"type": "mcp", "name": "x", "parameters": {"server_url": INSIDE}},
    ],
)
def test_every_tool_is_looked_at_outside_its_schema(tool: dict[str, Any]) -> None:
    assert refusal(asked(tools=(tool,)), ("*",)) is not None


def test_a_schema_may_name_urls() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "url": INSIDE}
    function = {"name": "f", "description": INSIDE, "parameters": schema}
    tools = ({"type": "function", "function": function}, {"type": "function", **function})
    assert list(request_urls(asked(tools=tools))) == []


def test_a_long_key_is_not_copied_for_each_thing_below_it() -> None:
    # Copied each time, these would be 60 gigabytes.
    part = {"type": "x", "k" * 1_000_000: [1] * 30_000 + ["https://a.example/"] * 30_000}
    found = list(request_urls(said(part)))
    assert len(found) == 30_000
    assert all(len(path) <= 200 for path, _ in found)


async def test_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    book = {"rebound.example": "10.0.0.7", "fine.example": "93.184.216.34"}

    async def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        if host not in book:
            raise OSError("unknown")
        return [(None, None, None, "", (book[host], 443))]

    monkeypatch.setattr("trio.socket.getaddrinfo", getaddrinfo)
    assert await resolved_refusal(picture("https://fine.example/"), ("*",)) is None
    assert await resolved_refusal(picture("https://unknown.example/"), ("*",)) is None
    why = await resolved_refusal(picture("https://rebound.example/"), ("*",))
    assert why == "messages[0].content[0].image_url.url: the host has no public address"
    named = ("*", "rebound.example")
    assert await resolved_refusal(picture("https://rebound.example/"), named) is None
