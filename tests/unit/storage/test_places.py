"""Where a database is and why it is not reached: host, port and cause, no user and no password."""

import errno
import socket
import ssl

import pytest

from nexus_actors.storage.postgres.errors import start_error
from nexus_actors.storage.postgres.places import host_names, location


def test_a_place_is_reported_without_its_user() -> None:
    cases = [
        ("postgresql://me:sesame@host:6543/db", "host:6543/db"),
        ("postgresql://me:sesame@host/db", "host:5432/db"),
        ("postgresql://me:sesame@[::1]/db", "[::1]:5432/db"),
        ("postgresql://me:sesame@a:1,b/db", "a:1,b:5432/db"),
        ("postgresql://me:sesame@/db?host=/run/pg&port=77", "/run/pg:77/db"),
        ("postgresql:///db", "(local socket):5432/db"),
        ("postgresql://me:12/sesame@host/db", "(unreadable URL)"),
        ("postgresql://me:12#sesame@host/db", "(unreadable URL)"),
        ("postgresql://me:ses@ame@host/db", "host:5432/db"),
    ]
    wrong = [(url, told, found) for url, told in cases if (found := location(url)) != told]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("postgresql://me:sesame@host:6543/db?host=other", ["host"]),
        ("postgresql://me:sesame@a:1,b.example:7/db", ["a", "b.example"]),
        ("postgresql://me:sesame@/db?host=a:1,b.example,[::1]:7", ["a", "b.example", "::1"]),
        ("postgresql://me@/db?host=/run/pg", []),
        ("postgresql://me@/db?host=h", ["h"]),
        ("postgresql:///db", []),
        ("postgresql://[/db", []),
    ],
)
def test_the_names_to_be_looked_up_are_those_of_hosts(url: str, names: list[str]) -> None:
    assert host_names(url) == names


CAUSES = {
    "no host of that name": socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    "looked up": socket.gaierror(socket.EAI_AGAIN, "Temporary failure"),
    "refused": ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 1)"),
    "at any of its addresses": OSError("Multiple exceptions: [Errno 111] Connect call failed"),
    "no such socket": FileNotFoundError(errno.ENOENT, "No such file or directory"),
    "closed at once": ConnectionResetError(errno.ECONNRESET, "reset"),
    "no way": OSError(errno.EHOSTUNREACH, "No route to host"),
    "no answer in time": TimeoutError(),
}
LASTING = {
    "TLS: no common way": ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
    "certificate is not accepted": ssl.SSLCertVerificationError(1, "certificate verify failed"),
    "sslmode": ConnectionError('PostgreSQL server at "h:1" rejected SSL upgrade'),
}


def test_a_cause_is_reported_in_plain_words_and_only_tls_is_not_waited_for() -> None:
    wrong = []
    for cause in [*CAUSES, *LASTING]:
        error = CAUSES.get(cause) or LASTING[cause]
        started = start_error(error, "host:5432/db")
        if not (
            str(started).startswith("cannot connect to the database host:5432/db: ")
            and cause in str(started)
            and started.kind == ("unreachable" if cause in CAUSES else "unusable")
        ):
            wrong.append((cause, started))
    assert not wrong, "\n".join(map(repr, wrong))
