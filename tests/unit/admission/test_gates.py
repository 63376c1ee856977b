"""Gates: held, shut by their circuit, described."""

from nexus_actors.admission.circuit import CircuitSettings
from nexus_actors.admission.gates import MOST_GATES, Gates

ONCE = CircuitSettings(failures=1, open_seconds=10.0)


def test_a_model_never_called_may_be() -> None:
    gates = Gates()
    assert gates.wait("p", "m", 0.0) == 0.0
    assert gates.begin("p", "m", 0.0)
    assert gates.describe("p", 0.0) == {}


def test_a_held_gate_opens_by_itself() -> None:
    gates = Gates()
    gates.gate("p", "m", ONCE, 0.0).throttled_until = 7.0
    assert gates.wait("p", "m", 3.0) == 4.0
    assert not gates.begin("p", "m", 6.9)
    assert gates.begin("p", "m", 7.0)
    assert gates.describe("p", 3.0) == {"m": "throttled for 4 s"}
    assert gates.describe("p", 7.0) == {}


def test_one_models_trouble_is_not_anothers() -> None:
    gates = Gates()
    gates.gate("p", "m", ONCE, 0.0).circuit.failed(0.0)
    assert not gates.begin("p", "m", 1.0)
    assert gates.begin("p", "other", 1.0)
    assert gates.begin("q", "m", 1.0)
    assert gates.describe("p", 1.0) == {"m": "open for 9 s"}
    assert gates.describe("p", 10.0) == {"m": "half_open"}


def test_a_hold_takes_no_probe_away() -> None:
    gates = Gates()
    gate = gates.gate("p", "m", ONCE, 0.0)
    gate.circuit.failed(0.0)
    gate.throttled_until = 20.0
    assert not gates.begin("p", "m", 15.0)
    assert gates.begin("p", "m", 20.0)


def test_all_can_be_opened() -> None:
    gates = Gates()
    gates.gate("p", "m", ONCE, 0.0).circuit.failed(0.0)
    gates.gate("q", "m", ONCE, 0.0).circuit.failed(0.0)
    gates.open_all("p")
    assert gates.begin("p", "m", 0.0)
    assert not gates.begin("q", "m", 0.0)


def test_any_number_of_names_takes_no_more_than_so_much_room() -> None:
    gates = Gates()
    gates.gate("p", "shut", ONCE, 0.0).circuit.failed(0.0)
    for number in range(3 * MOST_GATES):
        gates.gate("p", str(number), ONCE, 1.0)
    assert len(gates) <= MOST_GATES
    assert gates.wait("p", "shut", 1.0) == 9.0
