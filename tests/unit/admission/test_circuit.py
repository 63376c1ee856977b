"""The circuit breaker, by the clock it is told."""

import pytest

from nexus_actors.admission.circuit import Circuit, CircuitSettings

SETTINGS = CircuitSettings(failures=3, open_seconds=10.0, open_seconds_max=35.0)


def opened(at: float = 100.0) -> Circuit:
    circuit = Circuit(SETTINGS)
    for _ in range(SETTINGS.failures):
        assert circuit.begin(at)
        circuit.failed(at)
    return circuit


def test_closed_until_so_many_failures_in_a_row() -> None:
    circuit = Circuit(SETTINGS)
    for _ in range(2):
        circuit.failed(0.0)
    circuit.succeeded()
    for _ in range(2):
        circuit.failed(0.0)
    assert (circuit.state(0.0), circuit.wait(0.0)) == ("closed", 0.0)
    circuit.failed(0.0)
    assert (circuit.state(0.0), circuit.wait(0.0)) == ("open", 10.0)


def test_open_it_lets_nothing_pass_until_its_time_is_over() -> None:
    circuit = opened()
    assert not circuit.begin(109.9)
    assert circuit.wait(104.0) == pytest.approx(6.0)
    assert circuit.state(110.0) == "half_open"


def test_half_open_it_lets_one_probe_pass() -> None:
    circuit = opened()
    assert circuit.begin(110.0)
    assert not circuit.begin(110.0)
    assert circuit.wait(110.0) == 10.0
    circuit.succeeded()
    assert circuit.state(110.0) == "closed"
    assert circuit.begin(110.0)
    assert circuit.begin(110.0)


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_most() -> None:
    circuit, now = opened(), 100.0
    for seconds in (10.0, 20.0, 35.0, 35.0):
        assert circuit.wait(now) == pytest.approx(seconds)
        now += seconds
        assert circuit.begin(now)
        circuit.failed(now)


def test_a_success_after_the_probe_forgets_how_often_it_had_opened() -> None:
    circuit = opened(100.0)
    assert circuit.begin(110.0)
    circuit.failed(110.0)
    assert circuit.begin(130.0)
    circuit.succeeded()
    for _ in range(3):
        circuit.failed(200.0)
    assert circuit.wait(200.0) == 10.0


def test_calls_that_began_before_it_opened_do_not_open_it_further() -> None:
    circuit = opened()
    for _ in range(50):
        circuit.failed(101.0)
    assert circuit.wait(101.0) == pytest.approx(9.0)


def test_a_probe_that_was_cut_off_makes_way_for_another() -> None:
    circuit = opened()
    assert circuit.begin(110.0)
    circuit.abandon()
    assert circuit.begin(110.0)
