"""Pages, forms and logins as a browser has them, on a database that is imagined."""

import importlib
import inspect
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import trio
import trio.testing
from starlette.routing import Route

from nexus_actors.dashboard import app as app_module
from nexus_actors.dashboard import letter_forms
from nexus_actors.dashboard.live import Full, Topic, Watching
from nexus_actors.dashboard.pages import PAGES
from nexus_actors.dashboard.visit import Page, View, Visit
from nexus_actors.monitoring.actions import Pause
from nexus_actors.storage.errors import StorageRefused, StorageUnavailable
from tests.unit.dashboard.asgi import HOST, TOKEN, Answer, Site, with_tokens

HOSTILE = "<script>alert(1)</script>\"'&\u202e\x1b[31m\x00" + "x" * 1_000_000
PAUSE = {"subject": "provider", "name": "echo"}


async def _hostile(_visit: Visit) -> View:
    values = {"problem": HOSTILE, "hint": HOSTILE}
    return View("message.html", HOSTILE[:60], values)


async def _crashing(_visit: Visit) -> View:
    raise ZeroDivisionError("a secret")


async def _nothing_there(_visit: Visit) -> View:
    return View("message.html", "Empty", {"problem": "", "hint": ""})


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (
        Page("/", "Overview", _nothing_there),
        Page("/hostile", "Hostile", _hostile),
        Page("/crash", None, _crashing),
        Page("/below", None, _nothing_there, under="/hostile"),
    )
    monkeypatch.setattr(app_module, "PAGES", found)


def problem(answer: Answer) -> str:
    found = re.search(r'class="problem"[^>]*>(.*?)</p>', answer.text, re.DOTALL)
    assert found is not None, answer.text
    return found[1]


# -- every answer


@pytest.mark.parametrize("path", ["/", "/nowhere", "/login", "/act/pause", "/static/nexus.css"])
async def test_every_answer_has_the_headers_that_keep_others_out(path: str) -> None:
    answer = await Site().ask(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-cache" if "static" in path else "no-store"


async def test_nothing_in_a_page_needs_more_than_the_policy_allows() -> None:
    site = Site(loopback="operate")
    for path in ("/", "/hostile", "/act/pause?subject=queue&name=x", "/nowhere"):
        text = (await site.ask(path)).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?! src=\"/)|javascript:", text)


async def test_hostile_text_is_escaped_and_seen() -> None:
    text = (await Site().ask("/hostile")).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    for unseen in ("\u202e", "\x1b", "\x00"):
        assert unseen not in text
    assert "\\u202e" in text


async def test_a_page_that_crashes_says_so_and_no_more() -> None:
    site = Site()
    answer = Answer()
    with pytest.raises(ZeroDivisionError):  # for the log, after the answer
        answer = await site.ask("/crash")
    assert answer.body == b""


async def test_the_navigation_says_where_one_is() -> None:
    for path, there, how in (("/", "/", "page"), ("/below", "/hostile", "true")):
        text = (await Site().ask(path)).text
        assert re.findall(r'href="([^"]*)" aria-current="(\w+)"', text) == [(there, how)]


async def test_what_is_not_there_is_a_page() -> None:
    answer = await Site().ask("/nowhere")
    assert (answer.status, problem(answer)) == (404, "There is no such page.")
    assert (await Site().ask("/static/../app.py")).status == 404
    assert (await Site().ask("/act/nothing")).status == 404


async def test_a_query_string_is_bounded() -> None:
    long = await Site().ask("/act/pause?name=" + "x" * 2001)
    assert long.status == 403  # he may not even ask
    site = Site(loopback="operate")
    assert (await site.ask("/act/pause?name=" + "x" * 2001)).status == 400
    many = "&".join(f"a{it}=1" for it in range(100))
    assert (await site.ask(f"/act/pause?{many}")).status == 400


# -- acting


async def test_who_only_looks_cannot_act() -> None:
    site = Site()
    answer = await site.ask("/act/pause?subject=provider&name=echo")
    assert (answer.status, problem(answer)) == (403, "local may look, and may not act.")
    assert (await site.ask("/act/pause", form=PAUSE)).status == 403
    assert site.reader.asked == []


async def test_an_action_asks_once_and_shows_its_other_forms() -> None:
    site = Site(loopback="operate")
    answer = await site.ask("/act/pause?subject=provider&name=echo&why=x%27y")
    assert "Pause the provider echo on every node?" in answer.text
    assert "SELECT nexus.pause(&#39;provider&#39;, &#39;echo&#39;, why =&gt;" in answer.text
    assert "nexus pause provider echo --why" in answer.text
    assert site.reader.asked == []


async def test_an_action_is_done_in_the_viewers_name_and_said_once() -> None:
    site = Site(loopback="operate")
    token = await site.token("/act/pause?subject=provider&name=echo")
    form = {**PAUSE, "token": token, "back": "/hostile?a=b", "why": "for a test"}
    answer = await site.ask("/act/pause", form=form)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/hostile?a=b&said=")
    assert site.reader.asked == [
        (
            "act_pause",
            ("provider", "echo", None, "for a test", False, "*", "local via dashboard"),
        )
    ]
    said = "Paused: the provider echo on every node."
    assert said in (await site.ask(answer.headers["location"])).text
    assert said not in (await site.ask(answer.headers["location"])).text


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, ""),
        ({}, "x"),
        ({"origin": "http://evil.example"}, None),
        ({"sec-fetch-site": "cross-site"}, None),
    ],
    ids=str,
)
async def test_a_form_of_another_site_does_nothing(
    headers: Mapping[str, str], token: str | None
) -> None:
    site = Site(loopback="operate")
    own = await site.token("/act/pause?subject=provider&name=echo")
    form = {**PAUSE, "token": own if token is None else token}
    answer = await site.ask("/act/pause", form=form, headers={"host": HOST, **headers})
    assert answer.status == 403
    assert site.reader.asked == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"subject": "planet"}, "What: expected one of queue, provider"),
        ({"name": ""}, "Name: expected a value"),
        ({"name": "x" * 256}, "Name: expected 255 characters at most"),
        ({"name": "a\0b"}, "Name: expected no NUL"),
        ({"until": "yesterday"}, "Until: expected a duration"),
        ({"until": "2020-01-01"}, "Until: expected a time to come"),
        ({"subject": "queue", "fallback": "1"}, "Fallback: expected it with"),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_form_is_said(change: Mapping[str, str], expected: str) -> None:
    site = Site(loopback="operate")
    token = await site.token("/act/pause?subject=provider&name=echo")
    answer = await site.ask("/act/pause", form={**PAUSE, "token": token, **change})
    assert answer.status == 400
    assert problem(answer).startswith(expected)
    assert site.reader.asked == []


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (StorageRefused("the database refused: no such queue"), 409, "no such queue. Nothing was"),
        (StorageUnavailable("away"), 503, "away. Whether it was done is not known."),
    ],
    ids=["refused", "away"],
)
async def test_what_the_database_says_to_an_action_is_reported(
    error: Exception, status: int, expected: str
) -> None:
    site = Site(loopback="operate")
    site.reader.rows["act_pause"] = error
    token = await site.token("/act/pause?subject=provider&name=echo")
    answer = await site.ask("/act/pause", form={**PAUSE, "token": token})
    assert answer.status == status
    assert problem(answer).startswith(expected)
    assert 'value="echo"' in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"name=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % it for it in range(100)), "application/x-www-form-urlencoded"),
        (b"name=%ff", "application/x-www-form-urlencoded"),
        (b"name=\xff", "application/x-www-form-urlencoded"),
        (b'{"name": "echo"}', "application/json"),
        (b"name=echo", "text/plain"),
    ],
    ids=["long", "wide", "no UTF-8", "raw", "JSON", "text"],
)
async def test_what_is_no_form_is_refused(body: bytes, kind: str) -> None:
    site = Site(loopback="operate")
    answer = await site.ask("/act/pause", body=body, headers={"host": HOST, "content-type": kind})
    assert answer.status == 413
    assert site.reader.asked == []


async def test_a_value_that_is_not_seen_is_sent_back_as_it_is() -> None:
    """What a form shows is for eyes; what it holds is the request's id itself."""
    site = Site(loopback="operate")
    answer = await site.ask("/act/cancel?id=%20a%E2%80%AEb%20")
    assert 'name="id" value=" a\u202eb "' in answer.text
    assert "Cancel the request  a\\u202eb ?" in answer.text
    site.reader.rows["act_cancel"] = [{"found": "running"}]
    token = await site.token("/act/cancel?id=x")
    await site.ask("/act/cancel", form={"id": " a\u202eb ", "token": token})
    assert site.reader.arguments("act_cancel")[0][0] == " a\u202eb "


async def test_what_takes_long_to_count_is_asked_without(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forever(_self: object, _reader: object) -> str:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(Pause, "preview", forever)
    answer = await Site(loopback="operate").ask("/act/pause?subject=provider&name=echo")
    assert answer.status == 200
    assert "Not counted" in answer.text
    assert "Pause the provider echo on every node?" in answer.text


async def test_a_long_text_is_read_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def checked_request(text: str) -> str:
        threads.append(threading.current_thread())
        return text

    monkeypatch.setattr(letter_forms, "checked_request", checked_request)
    site = Site(loopback="operate", show_messages=True)
    token = await site.token("/act/pause")
    form = {"number": "7", "request": '{"a": 1}', "token": token}
    assert (await site.ask("/act/edit", form=form)).status == 303
    assert threads
    assert threading.main_thread() not in threads


# -- what is live


async def test_a_session_that_ends_ends_its_stream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app_module, "PAGES", (Page("/", "Live", _live, live=True),))
    site = Site(with_tokens(tmp_path, joe="read"))
    cookie = (await site.ask("/login", form={"secret": f"joe-{TOKEN}"})).cookie
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.app.run)
        sent: list[Any] = []
        nursery.start_soon(_stream, site, cookie, sent)
        with trio.fail_after(20):
            while not any(b"event: part" in it.get("body", b"") for it in sent):
                await trio.sleep(0.01)
            site.settings = replace(site.settings, access=())
            while sent[-1].get("more_body", True):
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert not any("set-cookie" in str(it) for it in sent)


async def test_a_stream_is_for_those_who_are_let_in_and_for_pages_that_are_live() -> None:
    assert (await Site().ask("/live?path=/", peer=None)).status == 401
    assert (await Site().ask("/live?path=/hostile")).status == 404
    assert (await Site().ask("/live?path=http://evil.example/")).status == 404
    assert (await Site().ask("/live?path=//[")).status == 404
    assert (await Site().ask("/live")).status == 404


async def test_what_makes_no_difference_makes_no_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages = (Page("/", "Live", _live, ("window", "id"), live=True),)
    monkeypatch.setattr(app_module, "PAGES", pages)
    site = Site()
    hub = site.app._streaming.hub
    entered: list[str] = []

    def enter(topic: Topic, _name: str) -> Watching:
        entered.append(topic.here)
        raise Full

    monkeypatch.setattr(hub, "enter", enter)
    for path in ("/?x=1&id=a%26&window=day", "/?window=day&id=a%26&y=2", "/?z=3"):
        assert (await site.ask(f"/live?{urlencode({'path': path})}")).status == 503
    assert entered == ["/?window=day&id=a%26"] * 2 + ["/"]
    long = urlencode({"path": "/?id=" + "x" * 3000})
    assert (await site.ask(f"/live?{long}")).status == 400


def test_a_page_names_what_it_reads() -> None:
    """What it does not name is the same topic to all that is live."""
    assert len(PAGES) > 10
    wrong = []
    for module in sorted({it.show.__module__ for it in PAGES}):
        source = inspect.getsource(importlib.import_module(module))
        asked = r"(?:visit\.(?:text|number|choice|query\.get)\(|_(?:text|filter)\(visit, )\"(\w+)\""
        named = {name for it in PAGES if it.show.__module__ == module for name in it.query}
        if missing := set(re.findall(asked, source)) - named:
            wrong.append((module, sorted(missing)))
    assert not wrong, "\n".join(map(repr, wrong))


async def _live(_visit: Visit) -> View:
    return View("frame.html", "Live", {})


async def _stream(site: Site, cookie: str, sent: list[Any]) -> None:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/live",
        "query_string": b"path=/",
        "root_path": "",
        "headers": [(b"host", HOST.encode()), (b"cookie", cookie.encode())],
        "client": ("192.0.2.7", 4711),
        "server": None,
        "state": {},
    }

    async def send(message: Any) -> None:
        sent.append(message)

    await site.app(scope, trio.sleep_forever, send)


def test_the_routes_are_those_of_the_pages() -> None:
    site = Site()
    paths = [it.path for it in site.app.routes if isinstance(it, Route)]
    assert len(paths) == len(set(paths))
    assert {"/", "/login", "/logout", "/act/{name}", "/live", "/static/{name}"} <= set(paths)
