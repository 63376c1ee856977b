"""Published failures by their names."""

import pickle

import pytest

from nexus_actors import client
from nexus_actors.client.errors import error_of
from nexus_actors.contract.errors import CALL_ERRORS, ErrorType
from nexus_actors.contract.result import Failure

NAMED = {
    "timeout": client.Timeout,
    "unavailable": client.Unavailable,
    "invalid_arguments": client.InvalidArguments,
    "model_unavailable": client.ModelUnavailable,
    "rate_limited": client.RateLimited,
    "quota_exceeded": client.QuotaExceeded,
    "missing_fields": client.InvalidArguments,
    "invalid_request": client.InvalidArguments,
    "provider_error": client.RequestFailed,
    "never heard of": client.RequestFailed,
}


def test_every_name_that_callers_know_has_an_exception() -> None:
    assert set(NAMED) > CALL_ERRORS


@pytest.mark.parametrize("name", NAMED)
def test_a_failure_becomes_the_exception_of_its_name(name: str) -> None:
    failure = Failure(type=name, message="why", retryable=False)
    error = error_of(failure, "r")
    assert type(error) is NAMED[name]
    assert (error.type, error.request_id, error.failure) == (name, "r", failure)
    assert str(error) == f"{name}: why"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - as process pools do
    assert (type(again), again.request_id, again.type) == (type(error), "r", name)


def test_every_exception_has_its_name_before_it_is_raised() -> None:
    assert client.Timeout("x").type == ErrorType.TIMEOUT
    assert client.InvalidArguments("x").type == ErrorType.INVALID_ARGUMENTS
    assert client.CallError("x").request_id is None
