"""Room in a budget for the one that has waited longest."""

from nexus_actors.admission.budget_turns import ABSENT, MOST, BudgetTurns


def test_room_is_left_to_the_one_that_has_waited_longest_and_to_no_other() -> None:
    turns = BudgetTurns()
    assert turns.room("b", "anyone", 0.0) == 0.0
    turns.wait("b", "later", 5.0, 0.1, 10.0)
    turns.wait("b", "dear", 1.0, 0.5, 10.0)
    turns.wait("b", "latest", 7.0, 0.2, 10.0)
    assert turns.room("b", "later", 11.0) == 0.5
    assert turns.room("b", "dear", 11.0) == 0.0
    assert turns.room("another", "later", 11.0) == 0.0


def test_when_one_has_had_its_turn_that_of_the_next_begins() -> None:
    turns = BudgetTurns()
    turns.wait("b", "dear", 5.0, 0.5, 10.0)
    turns.wait("b", "older", 1.0, 0.1, 10.1)
    assert turns.room("b", "another", 10.2) == 0.1
    turns.leave(["b"], "older")
    turns.wait("b", "younger", 6.0, 0.1, 10.3)
    assert turns.room("b", "another", 10.4) == 0.5


def test_of_many_that_wait_those_that_came_first_are_remembered() -> None:
    turns = BudgetTurns()
    for number in reversed(range(10 * MOST)):
        turns.wait("b", f"r{number}", float(number), float(number), 0.0)
    for number in range(MOST):
        assert turns.room("b", "another", 1.0) == float(number)
        turns.leave(["b"], f"r{number}")
    assert turns.room("b", "another", 1.0) == 0.0


def test_who_has_its_turn_or_asks_no_more_keeps_nobody_waiting() -> None:
    turns = BudgetTurns()
    turns.wait("b", "dear", 1.0, 0.5, 10.0)
    turns.leave(["b"], "another")
    assert turns.room("b", "another", 11.0) == 0.5
    turns.leave(["b", "c"], "dear")
    assert turns.room("b", "another", 11.0) == 0.0
    turns.wait("b", "gone", 1.0, 0.5, 20.0)
    assert turns.room("b", "another", 20.0 + ABSENT) == 0.5
    assert turns.room("b", "another", 20.1 + ABSENT) == 0.0
    turns.wait("b", "younger", 2.0, 0.3, 20.1 + ABSENT)
    assert turns.room("b", "another", 21.0 + ABSENT) == 0.3
