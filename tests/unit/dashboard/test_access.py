"""Who is let in: by a token's cookie, or from this machine while there are no tokens."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from nexus_actors.dashboard.access import (
    SESSION_SECONDS,
    Caller,
    NoTokens,
    NotSignedIn,
    Session,
    admit,
    is_same_site,
    session,
    session_cookie,
    token_of,
)
from nexus_actors.settings.model import AccessToken, Settings
from tests.unit.parts import settings

KEY = b"k" * 32
NOW = 1_800_000_000.0
JOE = AccessToken("joe", "operate", SecretStr("joes-token-of-many-letters"))
EVE = AccessToken("eve.b", "read", SecretStr("eves-token-of-many-letters"))
LOCAL = Caller("127.0.0.1", {"host": "localhost:9464"})


def with_tokens(*tokens: AccessToken) -> Settings:
    named = {it.name: {"role": it.role, "token_file": it.name} for it in tokens}
    found = settings(dashboard={"tokens": named})
    return replace(found, access=tokens)


def role(caller: Caller, config: Settings) -> str | None:
    found = admit(caller, config, KEY, NOW)
    return found.viewer.role if isinstance(found, Session) else None


def test_this_machine_looks_by_default_and_acts_where_that_is_set() -> None:
    assert role(LOCAL, settings()) == "read"
    assert role(LOCAL, settings(dashboard={"loopback": "operate"})) == "operate"
    assert role(LOCAL, settings(dashboard={"loopback": "token"})) is None
    assert role(Caller("::1", {"host": "[::1]:9464"}), settings()) == "read"


STRANGERS = [
    Caller("192.0.2.7", {"host": "localhost"}),
    Caller(None, {"host": "localhost"}),
    Caller("127.0.0.1", {"host": "evil.example"}),
    Caller("127.0.0.1", {"host": "localhost.evil.example"}),
    Caller("127.0.0.1", {}),
    Caller("127.0.0.1", {"host": "localhost", "x-forwarded-for": "192.0.2.7"}),
    Caller("127.0.0.1", {"host": "localhost", "forwarded": "for=192.0.2.7"}),
    Caller("127.0.0.1", {"host": "localhost", "via": "1.1 proxy"}),
    Caller("127.0.0.1", {"host": "localhost"}, http_version="1.0"),
    Caller(
        "127.0.0.1",
        {
            "host": "localhost",
            "sec-fetch-site": "same-origin",
            "referer": "https://nexus.example/",
        },
    ),
    Caller("127.0.0.1", {"host": "localhost", "referer": "http://dash.corp/"}),
    Caller("127.0.0.1", {"host": "localhost", "referer": "http://["}),
    Caller("127.0.0.1", {"host": "localhost", "origin": "http://dash.corp"}),
    *(
        Caller("127.0.0.1", {"host": "localhost", name: "x"})
        for name in (
            *("x-real-ip", "cf-connecting-ip", "cf-ray", "true-client-ip", "x-client-ip"),
            *("x-original-host", "x-original-forwarded-for", "x-forwarded-proto"),
            *("x-cluster-client-ip", "fastly-client-ip", "x-envoy-external-address"),
        )
    ),
    Caller("no address", {"host": "localhost"}),
]


def test_who_is_not_surely_of_this_machine_needs_a_token() -> None:
    wrong = []
    for caller in STRANGERS:
        found = admit(caller, settings(dashboard={"loopback": "operate"}), KEY, NOW)
        expected = NoTokens()
        if found != expected:
            wrong.append((caller, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_page_of_this_machine_leads_to_the_next() -> None:
    headers = {
        "host": "localhost:9464",
        "referer": "http://localhost:9464/requests?a=b",
        "origin": "http://localhost:9464",
    }
    assert role(Caller("127.0.0.1", headers), settings()) == "read"


def test_where_there_are_tokens_everybody_needs_one() -> None:
    assert admit(LOCAL, with_tokens(JOE), KEY, NOW) == NotSignedIn()


def test_a_token_that_cannot_be_read_opens_nothing() -> None:
    unread = replace(with_tokens(JOE), access=())
    assert admit(LOCAL, unread, KEY, NOW) == NotSignedIn()


@pytest.mark.parametrize("token", [JOE, EVE], ids=str)
def test_a_cookie_lets_in_by_its_tokens_name_and_role(token: AccessToken) -> None:
    cookie = session_cookie(token, NOW)
    found = session(cookie, (JOE, EVE), NOW + SESSION_SECONDS - 1)
    assert found is not None
    assert (found.viewer.name, found.viewer.role) == (token.name, token.role)
    assert found.until == NOW + SESSION_SECONDS


def test_a_role_is_the_configs_of_now() -> None:
    cookie = session_cookie(JOE, NOW)
    found = session(cookie, (replace(JOE, role="read"),), NOW)
    assert found is not None
    assert found.viewer.role == "read"


def test_a_cookie_ends_with_its_time_its_token_and_its_name() -> None:
    cookie = session_cookie(JOE, NOW)
    other = replace(JOE, secret=SecretStr("another-token-of-many-letters"))
    assert session(cookie, (JOE,), NOW + SESSION_SECONDS) is None
    assert session(cookie, (other,), NOW) is None
    assert session(cookie, (EVE,), NOW) is None
    assert session(cookie, (), NOW) is None


@pytest.mark.parametrize("place", range(3))
def test_a_cookie_that_was_changed_is_nobodys(place: int) -> None:
    parts = session_cookie(JOE, NOW).split(".", 2)
    other = session_cookie(replace(EVE, secret=JOE.secret), NOW + 60).split(".", 2)
    assert parts[place] != other[place]
    parts[place] = other[place]
    assert session(".".join(parts), (JOE, EVE), NOW) is None


def test_what_is_no_cookie_of_ours_is_nobodys() -> None:
    cases = ["", ".", "..", "a.b.joe", "9" * 13 + ".x.joe", "²." + "x.joe", "x" * 5000, "1.é.joe"]
    wrong = [(text, found) for text in cases if (found := session(text, (JOE,), NOW)) is not None]
    assert not wrong, "\n".join(map(repr, wrong))


def test_forms_of_each_session_have_a_token_of_their_own() -> None:
    found = [session(session_cookie(JOE, NOW + it), (JOE,), NOW) for it in (0, 1)]
    tokens = {it.form_token for it in found if it is not None}
    assert len(tokens) == 2


def test_a_token_is_its_owners() -> None:
    assert token_of(JOE.secret.get_secret_value(), (EVE, JOE)) is JOE
    assert token_of(f" {EVE.secret.get_secret_value()}\n", (EVE, JOE)) is EVE
    assert token_of("", (EVE, JOE)) is None
    assert token_of("joe", (EVE, JOE)) is None


def test_a_form_of_another_site_is_known() -> None:
    cases = [
        ({}, True),
        ({"origin": "http://nexus:9464"}, True),
        ({"origin": "https://nexus:9464"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://["}, False),
        ({"origin": "https://nexus.example", "x-forwarded-host": "nexus.example"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://nexus.example"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
    ]
    wrong = [
        (headers, expected, found)
        for headers, expected in cases
        if (found := is_same_site({"host": "nexus:9464", **headers})) is not expected
    ]
    assert not wrong, "\n".join(map(repr, wrong))
