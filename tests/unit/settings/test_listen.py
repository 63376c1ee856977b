"""Where the admin server is to listen."""

import pytest

from nexus_actors.settings import Settings, parse_settings
from nexus_actors.settings.listen import Listen, Tcp, Unix, parse_listen


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", None),
        ("127.0.0.1:9464", Tcp("127.0.0.1", 9464)),
        ("0.0.0.0:0", Tcp("0.0.0.0", 0)),  # noqa: S104 - a scraper may be elsewhere
        ("[::1]:9464", Tcp("::1", 9464)),
        ("[::]:65535", Tcp("::", 65535)),
        ("metrics.example-1.org:80", Tcp("metrics.example-1.org", 80)),
        ("unix:admin.sock", Unix("admin.sock")),
        ("unix:/run/nexus/a b.sock", Unix("/run/nexus/a b.sock")),
    ],
)
def test_what_it_means(text: str, where: Listen | None) -> None:
    assert parse_listen(text) == where
    settings = parse_settings({"admin": {"listen": text}}, {})
    assert isinstance(settings, Settings), settings
    assert settings.admin.listen == text


EXAMPLE = '"127.0.0.1:9464"'
NOWHERE = [
    "9464",
    ":9464",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:http",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "127.0.0.1:٣",
    "::1:9464",
    "[127.0.0.1]:9464",
    "[::1]",
    "http://127.0.0.1:9464",
    "a b:1",
    "-a:1",
    "unix:",
    "unix:here/",
    "unix:a\0b",
    " ",
    f"{'a' * 254}:1",
]


def test_what_is_nowhere_is_one_mistake_that_says_what_was_expected() -> None:
    wrong = []
    for text in NOWHERE:
        errors = parse_settings({"admin": {"listen": text}}, {})
        found = getattr(errors, "mistakes", ())
        if [it.path for it in found] != ["admin.listen"] or EXAMPLE not in found[0].expected:
            wrong.append((text, found))
    assert not wrong, "\n".join(map(repr, wrong))
