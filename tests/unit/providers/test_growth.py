"""What a provider is sent and what it sends cost no more than in proportion to their size."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import trio

from fuzz import measure
from nexus_actors.contract.bounds import WIDEST, Bounds
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.chat.stream import ChatStream
from nexus_actors.providers.apis.messages.stream import MessageStream
from nexus_actors.providers.apis.responses.stream import ResponsesStream
from nexus_actors.providers.http.api import MOST_COUNTS, StreamReader
from nexus_actors.providers.lookups import MOST_FOREIGN, look_up, use_own_threads
from nexus_actors.providers.redact import safe_message
from nexus_actors.providers.takes import Takes
from nexus_actors.providers.urls import TooLate, refusal, request_urls, resolved_refusal

SAID = {"role": "user", "content": "hello"}
ENDED = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}


def asked(**fields: Any) -> LLMRequest:
    text = json.dumps({"request_id": "r", "complexity": "simple", **fields})
    request = decode_request(text, WIDEST)
    assert isinstance(request, LLMRequest)
    return request


def pictures(*urls: str) -> LLMRequest:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return asked(messages=[{"role": "user", "content": parts}])


def grows_with_its_size(work: Callable[[int], Callable[[], object]], few: int) -> None:
    # Four times as much takes four times as long, sixteen times where it grows by the square.
    assert measure.cpu(work(4 * few), 2) < 9 * measure.cpu(work(few), 2) + 0.05


# -- answers

STREAMS: dict[str, tuple[type[StreamReader], Callable[[int], Mapping[str, Any]]]] = {
    "chat usage": (ChatStream, lambda n: {"usage": {f"k{n}": 1}}),
    "chat details": (ChatStream, lambda n: {"usage": {"prompt_tokens_details": {f"k{n}": 1}}}),
    "messages usage": (MessageStream, lambda n: {**ENDED, "usage": {f"k{n}": 1}}),
    "messages end": (MessageStream, lambda n: {"type": "message_delta", "delta": {f"k{n}": 1}}),
    "responses items": (
        ResponsesStream,
        lambda n: {
            "type": "response.output_item.done",
            "output_index": n,
            "item": {"type": "function_call", "id": f"i{n}"},
        },
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_last_event_of_a_stream_costs_as_much_as_the_first(name: str) -> None:
    kind, event = STREAMS[name]

    def work(count: int) -> Callable[[], object]:
        events = [event(n) for n in range(count)]

        def take() -> object:
            reader = kind()
            for it in events:
                reader.take(it)
            return reader.whole()

        return take

    grows_with_its_size(work, 2_500)


def test_counts_of_a_usage_stay_although_others_come_in_numbers() -> None:
    reader = MessageStream()
    reader.take({"type": "message_start", "message": {"usage": {"input_tokens": 7}}})
    for n in range(2 * MOST_COUNTS):
        reader.take({**ENDED, "usage": {f"k{n}": 1, "output_tokens": n}})
    usage = (reader.whole() or {})["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (7, 2 * MOST_COUNTS - 1)
    assert len(usage) == MOST_COUNTS


# -- requests


def test_a_choice_among_many_tools() -> None:
    def work(count: int) -> Callable[[], object]:
        named = [{"type": "function", "name": f"f{n}"} for n in range(count)]
        request = asked(
            messages=[SAID],
            tools=[{"type": "function", "function": {"name": f"f{n}"}} for n in range(count)],
            tool_choice={"type": "allowed_tools", "mode": "auto", "tools": named},
        )
        return lambda: chat_call(request, "m", Takes(), stream=False)

    grows_with_its_size(work, 2_000)


def test_the_prompt_is_masked_wherever_in_it_the_quotation_stands() -> None:
    quoted = "the cat that sat upon the mat of the neighbours"
    prompt = ["x" * 150_000 + quoted + "y" * 150_000, "short"]
    told = safe_message(f"not allowed: {quoted}!", secrets=(), prompt=prompt)
    assert told == "not allowed: [prompt]!"


def test_parts_of_a_key_are_masked_wherever_they_stand_in_it() -> None:
    wrong = []
    for length in range(4, 14):
        for before in range(7):
            key = "sk-proj-0123456789abcdefghijklmno"
            window = min(length, 6)
            whole = key[:length]
            part = whole[before : before + window]
            told = safe_message(f"<{part}>", secrets=[whole], prompt=())
            expected = "<[key]>" if len(part) == window else f"<{part}>"
            if told != expected:
                wrong.append((length, before, told, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_message_is_looked_for_once_in_each_text_of_a_prompt() -> None:
    looked = 0

    class Counted(str):
        def __getitem__(self, place: Any) -> str:
            nonlocal looked
            looked += 1
            return str.__getitem__(self, place)

        def __contains__(self, _: object) -> bool:
            raise AssertionError("searched from its beginning")

    def prompt() -> Iterator[str]:
        for _ in range(50):
            yield Counted("wholly other words " * 20)

    safe_message("The request is not what was expected. " * 25, secrets=(), prompt=prompt())
    assert looked <= 50 * 19 * 20 / 10 + 50


def test_urls_and_hosts_are_bounded() -> None:
    many = pictures(*(f"https://a{n}.example/" for n in range(5)))
    assert refusal(many, ("*",), Bounds(max_hosts=5, max_urls=5)) is None
    assert refusal(many, ("*",), Bounds(max_hosts=4)) == (
        "messages[0].content[4].image_url.url: expected at most 4 hosts"
        " ([requests] max_hosts), found 5 or more"
    )
    assert refusal(many, ("*",), Bounds(max_urls=3)) == (
        "messages[0].content[3].image_url.url: expected at most 3 URLs"
        " ([requests] max_urls), found 4 or more"
    )
    data = pictures(*["data:image/png;base64,AAAA"] * 9)
    assert refusal(data, ("*",), Bounds(max_urls=3)) is None
    assert refusal(pictures("https://" + "a." * 5_000 + "/"), ("*",)) is not None


def test_urls_are_found_in_what_is_nested_without_cost_for_its_depth() -> None:
    def work(count: int) -> Callable[[], object]:
        inner: Any = ["https://a.example/"] * count
        for _ in range(90):
            inner = [inner]
        request = asked(messages=[SAID], tools=[{"type": "x", "y": inner}])
        return lambda: sum(1 for _ in request_urls(request))

    grows_with_its_size(work, 500)


# -- lookups


async def test_hosts_are_looked_up_at_once_and_each_once(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    async def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        looked.append(host)
        await trio.sleep(1.0)
        return [(None, None, None, "", ("93.184.216.34", 443))]

    monkeypatch.setattr("trio.socket.getaddrinfo", getaddrinfo)
    urls = [f"https://a{n % 30}.example/{n}" for n in range(90)]
    began = trio.current_time()
    assert await resolved_refusal(pictures(*urls), ("*",)) is None
    assert trio.current_time() - began == pytest.approx(1.0)
    assert sorted(looked) == sorted({f"a{n}.example" for n in range(30)})


async def test_a_lookup_waits_for_a_thread_no_longer_than_its_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import socket
    import threading

    ended, began = threading.Event(), 0

    def getaddrinfo(*args: Any) -> Any:
        nonlocal began
        if args[-1] & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        began += 1
        ended.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        use_own_threads()
        async with trio.open_nursery() as nursery:
            for n in range(MOST_FOREIGN):
                nursery.start_soon(look_up, f"a{n}.example", 0.05)
        assert began == MOST_FOREIGN
        with pytest.raises(TooLate):
            await resolved_refusal(pictures("https://b.example/"), ("*",), 0.05)
        assert began == MOST_FOREIGN
        default = trio.to_thread.current_default_thread_limiter()
        assert default.borrowed_tokens == 0
        ended.set()
        assert await resolved_refusal(pictures("https://b.example/"), ("*",), 5.0) is None
    finally:
        ended.set()
