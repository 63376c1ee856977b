"""What is wrong with a database's URL is named, and no part of its password."""

import pytest

from nexus_actors.settings import Settings, SettingsErrors, parse_settings

TORN = [
    "postgresql://me:hun@ter2@host/db",
    "postgresql://me:hun/ter2@host/db",
    "postgresql://me:12/ter2@host/db",
    "postgresql://me:hun#ter2@host/db",
    "postgresql://me:12#ter2@host/db",
    "postgresql://me:hun/ter2@host:5432/db?sslmode=require",
    "postgresql://me:h@n/ter2@host/db",
    "postgresql://me:12?ter2@host/db",
    "postgres://me:hun#ter2@/db?host=/run/pg",
    "ecto://me:hun@ter2@host/db",
]


@pytest.mark.parametrize("url", TORN)
def test_a_password_that_is_not_encoded_is_told_so_without_a_part_of_it(url: str) -> None:
    errors = parse_settings({"database": {"url": url}}, {})
    assert isinstance(errors, SettingsErrors)
    (mistake,) = errors.mistakes
    assert "percent-encoded" in mistake.expected or "?" in url
    for part in ("hun", "ter2", "12"):
        assert part not in str(errors)


@pytest.mark.parametrize(
    ("parameter", "close"),
    [
        ("ssl_mode=require", "sslmode"),
        ("pool_size=10", None),
        ("channel_binding=require", None),
        ("conect_timeout=3", None),
    ],
)
def test_an_unknown_parameter_is_named(parameter: str, close: str | None) -> None:
    url = f"postgresql://me:hunter2@host/db?sslmode=prefer&{parameter}"
    errors = parse_settings({"database": {"url": url}}, {})
    assert isinstance(errors, SettingsErrors)
    text = str(errors)
    assert f'"{parameter.partition("=")[0]}"' in text
    assert close is None or f'did you mean "{close}"' in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:p%40s%2Fs%23@host/db",
        "postgresql://me@corp.example/db?application_name=a%40b",
        "postgresql://me:pw@host/db?application_name=x@y&sslmode=verify-full&nexus.mine=1",
        "postgresql://a:1,b:2/db?target_session_attrs=read-write&options=-c%20jit%3Doff",
        "postgresql:///db?host=/run/pg&port=77&user=me&password=hunter2",
    ],
)
def test_what_is_right_is_taken(url: str) -> None:
    assert isinstance(parse_settings({"database": {"url": url}}, {}), Settings)
