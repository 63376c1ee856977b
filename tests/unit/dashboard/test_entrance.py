"""Logging in and out, as a browser does it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from nexus_actors.dashboard import app as app_module
from nexus_actors.dashboard.attempts import MOST_OF_ONE
from nexus_actors.dashboard.visit import Page, View, Visit
from nexus_actors.settings import Settings, parse_settings
from nexus_actors.storage.errors import StorageUnavailable
from tests.unit.dashboard.asgi import TOKEN, Site, with_tokens


async def _empty(_visit: Visit) -> View:
    return View("message.html", "Empty", {"problem": "", "hint": ""})


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (Page("/", "Overview", _empty), Page("/money", "Money", _empty))
    monkeypatch.setattr(app_module, "PAGES", found)


async def test_who_is_not_logged_in_is_led_to_the_login_and_back(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    answer = await site.ask("/money?a=b&c=d", peer="192.0.2.7")
    assert answer.status == 303
    assert answer.headers["location"] == "/login?back=%2Fmoney%3Fa%3Db%26c%3Dd"
    form = await site.ask(answer.headers["location"], peer="192.0.2.7")
    assert 'name="back" value="/money?a=b&amp;c=d"' in form.text
    done = await site.ask("/login", form={"secret": f"joe-{TOKEN}", "back": "/money?a=b&c=d"})
    assert done.status == 303
    assert done.headers["location"] == "/money?a=b&c=d"
    assert (await site.ask("/", headers={"cookie": done.cookie})).status == 200
    assert site.reader.arguments("record") == [("login", "dashboard", None, "joe via dashboard")]


async def test_the_cookie_is_for_http_and_this_site_alone(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    form = {"secret": f"joe-{TOKEN}"}
    plain = (await site.ask("/login", form=form)).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(plain.split("; "))
    assert "Secure" not in plain
    behind = await site.ask("/login", form=form, headers={"x-forwarded-proto": "https"})
    assert "Secure" in behind.headers["set-cookie"]
    assert TOKEN not in plain


async def test_a_wrong_token_is_refused_and_guessing_is_slow(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    for _ in range(MOST_OF_ONE):
        answer = await site.ask("/login", form={"secret": f"eve-{TOKEN}"}, peer="192.0.2.7")
        assert answer.status == 403
        assert "set-cookie" not in answer.headers
        assert TOKEN not in answer.text
    late = await site.ask("/login", form={"secret": f"eve-{TOKEN}"}, peer="192.0.2.7")
    assert late.status == 429
    assert 0 < int(late.headers["retry-after"]) <= 60
    refused = ("login refused", "dashboard", '{"peer": "192.0.2.7"}', "unknown via dashboard")
    assert site.reader.arguments("record") == [refused] * MOST_OF_ONE


async def test_wrong_tokens_by_way_of_a_proxy_keep_nobody_out(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    for _ in range(MOST_OF_ONE + 1):
        await site.ask("/login", form={"secret": f"eve-{TOKEN}"}, peer="192.0.2.7")
    right = await site.ask("/login", form={"secret": f"joe-{TOKEN}"}, peer="192.0.2.7")
    assert right.status == 303
    assert right.cookie


async def test_a_login_does_not_wait_for_a_database_that_is_away(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    site.reader.rows["record"] = StorageUnavailable("away")
    assert (await site.ask("/login", form={"secret": f"joe-{TOKEN}"})).status == 303


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil", "x", "/\n"])
async def test_a_login_leads_nowhere_else(tmp_path: Path, back: str) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    answer = await site.ask("/login", form={"secret": f"joe-{TOKEN}", "back": back})
    assert answer.headers["location"] == "/"


async def test_a_changed_token_ends_its_sessions(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    cookie = (await site.ask("/login", form={"secret": f"joe-{TOKEN}"})).cookie
    (tmp_path / "joe").write_text("another-token-of-enough-letters")
    dashboard = site.settings.dashboard.model_dump(exclude={"url"})
    changed = parse_settings({"dashboard": dashboard}, {})
    assert isinstance(changed, Settings)
    site.settings = changed
    assert (await site.ask("/", headers={"cookie": cookie})).status == 303


async def test_logging_out_forgets_the_cookie(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    headers = {"cookie": (await site.ask("/login", form={"secret": f"joe-{TOKEN}"})).cookie}
    token = await site.token("/", headers=headers)
    wrong = await site.ask("/logout", form={"token": "x"}, headers=headers)
    assert wrong.status == 403
    done = await site.ask("/logout", form={"token": token}, headers=headers)
    assert done.status == 303
    assert "Max-Age=0" in done.headers["set-cookie"]
    again = await site.ask("/", headers=headers)  # with what somebody kept of it
    assert (again.status, again.headers["location"]) == (303, "/login?back=%2F")


@pytest.mark.parametrize(
    ("headers", "status"), [({}, 303), ({"sec-fetch-site": "cross-site"}, 403)], ids=str
)
async def test_of_who_is_not_logged_in_a_logout_reads_and_changes_nothing(
    tmp_path: Path, headers: Mapping[str, str], status: int
) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    sent = Unsent()
    answer = await site.ask("/logout", body=b"", headers=headers, receive=sent)
    assert answer.status == status
    assert "set-cookie" not in answer.headers
    assert not sent.was_asked
    closed = await Site().ask("/logout", body=b"", peer="192.0.2.7", receive=sent)
    assert closed.status == 403
    assert not sent.was_asked


async def test_another_site_logs_nobody_out(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    headers = {"cookie": (await site.ask("/login", form={"secret": f"joe-{TOKEN}"})).cookie}
    token = await site.token("/", headers=headers)
    foreign = {**headers, "origin": "http://evil.example"}
    answer = await site.ask("/logout", form={"token": token}, headers=foreign)
    assert answer.status == 403
    assert (await site.ask("/", headers=headers)).status == 200


async def test_two_tunnels_to_one_machine_have_a_session_each(tmp_path: Path) -> None:
    site = Site(with_tokens(tmp_path, joe="operate"))
    form = {"secret": f"joe-{TOKEN}"}
    names = {
        (await site.ask("/login", form=form, headers=headers)).cookie.partition("=")[0]
        for headers in (
            {"host": "localhost:9464"},
            {"host": "localhost:9465"},
            {"host": "nexus.example", "x-forwarded-proto": "https"},
        )
    }
    assert names == {"nexus_session_9464", "nexus_session_9465", "__Host-nexus_session"}


async def test_a_host_that_is_none_is_no_crash() -> None:
    assert (await Site().ask("/", headers={"host": "["})).status == 403
    assert (await Site().ask("/logout", body=b"", headers={"host": "["})).status == 403


class Unsent:
    """A body that never comes."""

    def __init__(self) -> None:
        self.was_asked = False

    async def __call__(self) -> Any:
        self.was_asked = True
        await trio.sleep_forever()


async def test_where_there_are_no_tokens_it_says_what_to_write() -> None:
    answer = await Site().ask("/", peer=None)
    assert answer.status == 403
    assert "[dashboard.tokens]" in answer.text
    login = await Site().ask("/login", form={"secret": TOKEN}, peer="192.0.2.7")
    assert login.status == 403
