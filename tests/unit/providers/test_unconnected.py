"""Why there is no connection, from the errors that stand behind the transport's."""

import errno
import socket
import ssl

import pytest

from nexus_actors.providers.http.unconnected import why_unconnected


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "there is no such name"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "its name cannot be looked up"),
        (untrusted(), "TLS: its certificate is not trusted (self-signed certificate)"),
        (TimeoutError(), "timed out"),
        (
            ExceptionGroup("", [OSError(errno.EHOSTUNREACH, "x"), ConnectionRefusedError()]),
            "connection refused",
        ),
        (ValueError("hunter2"), "no connection"),
    ],
)
def test_the_cause_that_says_most_is_reported(cause: Exception, told: str) -> None:
    error = OSError("all attempts to connect failed")
    error.__cause__ = cause
    outer = RuntimeError("the transport's")
    outer.__context__ = error
    assert why_unconnected(outer) == told
