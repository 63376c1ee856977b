"""How much is asked of a store that refuses, and which row is to blame."""

from nexus_actors.storage.refused_messages import (
    LONGEST_PAUSE,
    MEMORY,
    MOST,
    SHOWN,
    HeldBack,
    Portions,
    Suspects,
)
from tests.unit.parts import delivery


def test_a_portion_is_halved_until_it_is_one_and_grows_again() -> None:
    portions = Portions()
    asked = [portions.of(9)]
    while portions.refused(asked[-1]):
        asked.append(portions.of(9))
    assert asked == [9, 4, 2, 1]
    for _ in range(4):
        portions.passed()
        asked.append(portions.of(9))
    assert asked[4:] == [2, 4, 8, 9]
    assert portions.strained(9)
    assert portions.of(9) == 1
    assert not portions.strained(1)


def test_all_rooms_together_have_one_portion() -> None:
    portions = Portions()
    portions.refused(6)
    rooms, expired = portions.of_rooms({"a": 5, "b": 5}, 5)
    assert sum(rooms.values()) + expired == 3


def test_a_row_is_guilty_once_it_was_refused_twice_and_others_passed_where_that_is_unclear() -> (
    None
):
    suspects = Suspects()
    assert not suspects.is_guilty(1, unclear=False)
    assert suspects.is_guilty(1, unclear=False)
    assert [suspects.is_guilty(2, unclear=True) for _ in range(5)] == [False] * 5
    suspects.others_passed([delivery(3)])
    assert not suspects.is_guilty(2, unclear=True)
    suspects.others_passed([delivery(4)])
    assert suspects.is_guilty(2, unclear=True)
    # It is forgotten then, and so is one that was leased.
    assert not suspects.is_guilty(2, unclear=False)
    suspects.others_passed([delivery(2)])
    assert not suspects.is_guilty(2, unclear=False)


def test_no_more_suspects_are_remembered_than_a_bound() -> None:
    suspects = Suspects()
    for msg_id in range(MOST + 1):
        suspects.is_guilty(msg_id, unclear=False)
    assert not suspects.is_guilty(0, unclear=False)
    assert suspects.is_guilty(MOST, unclear=False)


def test_what_the_journal_does_not_take_is_tried_at_growing_pauses_while_it_takes_others() -> None:
    held = HeldBack()
    # It takes nobody: that is told elsewhere.
    assert [held.failed(7, "r", 0.0) for _ in range(3)] == [1.0] * 3
    assert held.report is None
    pauses = []
    for _ in range(10):
        held.passed([delivery(1)], 0.0)
        pauses.append(held.failed(7, "r", 0.0))
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, LONGEST_PAUSE, LONGEST_PAUSE]
    assert held.report == "r"
    held.passed([delivery(7)], 0.0)
    assert held.report is None
    assert held.failed(7, "r", 0.0) == 1.0


def test_of_those_that_the_journal_does_not_take_a_few_are_named_and_none_for_ever() -> None:
    held = HeldBack()
    for _ in range(2):
        held.passed([delivery(0)], 0.0)
        for msg_id in range(MOST, 0, -1):
            held.failed(msg_id, f"r{msg_id}", 0.0)
    assert held.failed(MOST + 1, "one more", 0.0) == LONGEST_PAUSE
    assert held.report == "; ".join([f"r{n}" for n in range(1, SHOWN + 1)] + ["and others"])
    held.passed([], 2.0 + MEMORY)
    assert held.report is not None
    held.passed([], 2.1 + MEMORY)  # others have taken them
    assert held.report is None
