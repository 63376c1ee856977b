"""Guessing tokens is slow, and costs others little."""

from nexus_actors.dashboard.attempts import (
    MOST_LOGGED_OUT,
    MOST_OF_ALL,
    MOST_OF_ONE,
    MOST_PEERS,
    WINDOW,
    Attempts,
)


def test_a_peer_waits_after_a_few_attempts_and_others_do_not() -> None:
    attempts = Attempts()
    for second in range(MOST_OF_ONE):
        assert attempts.wait("a", second) == 0
        attempts.begin("a", second)
    assert attempts.wait("a", 10.0) == WINDOW - 10.0
    assert attempts.wait("b", 10.0) == 0
    assert attempts.wait("a", WINDOW) == 0


def test_many_peers_wait_together() -> None:
    attempts = Attempts()
    for number in range(MOST_OF_ALL):
        attempts.begin(str(number), 0.0)
    assert attempts.wait("another", 1.0) == WINDOW - 1.0


def test_the_right_token_clears_the_peers_attempts() -> None:
    attempts = Attempts()
    for _ in range(MOST_OF_ONE):
        attempts.begin("a", 0.0)
    attempts.succeeded("a")
    assert attempts.wait("a", 1.0) == 0


def test_only_so_many_peers_are_remembered() -> None:
    attempts = Attempts()
    for number in range(MOST_PEERS + 10):
        for _ in range(MOST_OF_ONE):
            attempts.begin(str(number), float(number))
    last = float(MOST_PEERS + 10)
    assert attempts.wait("0", last + WINDOW - 1) == attempts.wait("unknown", last + WINDOW - 1)
    assert len(attempts._peers) == MOST_PEERS


def test_so_many_sessions_are_remembered_as_over_and_those_no_longer_that_are() -> None:
    logged_out = Attempts().logged_out
    logged_out.add("short", 5.0, 0.0)
    logged_out.add("first", 100.0, 6.0)
    assert "short" not in logged_out
    for number in range(MOST_LOGGED_OUT):
        assert len(logged_out._until) <= MOST_LOGGED_OUT
        logged_out._until[str(number).encode()] = 100.0
    logged_out.add("last", 100.0, 6.0)
    assert "last" in logged_out
    assert len(logged_out._until) <= MOST_LOGGED_OUT + 1
