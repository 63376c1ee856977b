"""What tests/docs/commands.py gives to the machine was carried out on it, by the tests before."""

from tests.machine.lines import carried_out, of_machine
from tests.machine.machine import Machine


def test_every_line_that_is_given_to_the_machine_was_carried_out(machine: Machine) -> None:
    assert machine
    left = [f"{it.where}: {it.text}" for it in of_machine() if it.text not in carried_out]
    assert not left, "\n".join(["not carried out:", *left])
