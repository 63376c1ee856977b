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
    ("parameters", "said"),
    [
        ("sslmode=requre", ["disable, allow, prefer, require", 'did you mean "require"']),
        ("target_session_attrs=readwrite", ['did you mean "read-write"']),
        ("ssl_min_protocol_version=1.2", ["TLSv1.2"]),
        ("client_encoding=utf9", ['did you mean "utf8"']),
        ("statement_timeout=10sec", ["statement_timeout to be a time"]),
        ("port=abc", ["port to be a number"]),
        ("sslrootcert=/no/such.pem", ["sslrootcert to be a file that is there"]),
        ("ssl_mode=a&pool_size=3&sslmode=on", ["ssl_mode", "pool_size", "sslmode to be one of"]),
    ],
)
def test_every_wrong_name_and_value_of_a_parameter_is_reported(
    parameters: str, said: list[str]
) -> None:
    errors = parse_settings({"database": {"url": f"postgresql://me:hunter2@h/d?{parameters}"}}, {})
    assert isinstance(errors, SettingsErrors)
    for words in said:
        assert words in str(errors)
    assert "hunter2" not in str(errors)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@h/d?sslmode=verify_ca&statement_timeout=5min&client_encoding=UTF8&port=77",
        "postgresql://me:p%40s%2Fs%23@host/db",
        "postgresql://me@corp.example/db?application_name=a%40b",
        "postgresql://me:pw@host/db?application_name=x@y&sslmode=verify-full&nexus.mine=1",
        "postgresql://a:1,b:2/db?target_session_attrs=read-write&options=-c%20jit%3Doff",
        "postgresql:///db?host=/run/pg&port=77&user=me&password=hunter2",
    ],
)
def test_what_is_right_is_taken(url: str) -> None:
    assert isinstance(parse_settings({"database": {"url": url}}, {}), Settings)
