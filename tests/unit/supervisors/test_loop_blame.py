"""From looks and clocks to a cause: pure, so the clocks are numbers. The period is 1 second."""

import pytest

from supervisors.watchdog.loop_blame import Accounts, Reading, sentence, who
from supervisors.watchdog.loop_view import Standing


def standing(name):
    return Standing(name, name, name.title(), "handle_call", "Ask", f"{name}.py:1 work")


A, B = standing("a"), standing("b")


def judge(first, looks, answered, seconds):
    """Each look is (time, CPU seconds so far, seconds collected so far, where the loop is)."""
    accounts = Accounts(Reading(0.0, 0.0, 0.0), 1.0)
    *clocks, here = first
    accounts.first(Reading(*clocks), here)
    for *clocks, here in looks:
        accounts.look(Reading(*clocks), here)
    accounts.answered(Reading(*answered))
    return accounts.judge(seconds)


def verdict(event):
    return event.cause, event.process, round(event.caused_seconds, 3)


def test_one_that_is_seen_twice_is_named():
    event = judge((1, 0, 0, A), [(2, 0, 0, A), (3, 0, 0, A)], (3.5, 0, 0), 2.5)
    assert verdict(event) == ("step", "a", 2)
    assert (event.class_name, event.handler, event.message) == ("A", "handle_call", "Ask")
    assert (event.where, event.seconds, event.cpu_seconds) == ("a.py:1 work", 2.5, 0)


def test_one_that_began_while_another_was_seen_is_named():
    event = judge((1, 0, 0, B), [(2, 0, 0, A), (3, 0, 0, A)], (3.1, 0, 0), 2.1)
    assert verdict(event) == ("step", "a", 1)


def test_different_ones_at_each_look_are_a_crowd():
    event = judge((1, 0, 0, A), [(2, 1, 0, B), (3, 2, 0, A), (4, 3, 0, B)], (4.1, 3, 0), 3.1)
    assert verdict(event) == ("crowd", None, 3)
    assert (event.handler, event.where) == (None, None)


def test_of_several_the_one_seen_longest_is_named():
    looks = [(2, 0, 0, A), (3, 0, 0, A), (4, 0, 0, B), (5, 0, 0, B), (6, 0, 0, B), (7, 0, 0, B)]
    event = judge((1, 0, 0, A), looks, (7.1, 0, 0), 6.1)
    assert verdict(event) == ("step", "b", 3)


def test_the_loops_own_work_is_never_seen_twice():
    own = Standing(None, None, None, None, None, "trio.py:1 run")
    event = judge((1, 0, 0, own), [(2, 1, 0, own), (3, 2, 0, own)], (3.1, 2, 0), 2.1)
    assert verdict(event) == ("crowd", None, 2)


def test_woken_late_with_the_loop_computing_is_a_call_that_held_the_lock():
    event = judge((6, 5.9, 0, A), [], (6.1, 5.9, 0), 5.1)
    assert verdict(event) == ("lock", "a", 5)
    assert event.cpu_seconds == 5


def test_held_the_lock_and_was_gone_before_anyone_could_look():
    event = judge((1, 0, 0, A), [], (6, 5, 0), 5)
    assert verdict(event) == ("lock", "a", 5)


def test_held_the_lock_and_was_seen_at_it_before_and_after():
    event = judge((1, 0, 0, A), [(6, 5, 0, A)], (6.1, 5, 0), 5.1)
    assert verdict(event) == ("step", "a", 5)


def test_woken_late_with_the_loop_idle_is_nobodys_doing():
    event = judge((6, 0.1, 0, A), [], (6.1, 0.1, 0), 5.1)
    assert verdict(event) == ("stall", None, 4.9)


def test_a_machine_that_stands_still_is_not_laid_to_the_one_it_stopped_in():
    accounts = Accounts(Reading(0.0, 0.0, 0.0), 1.0)
    accounts.first(Reading(1.0, 0.0, 0.0), A)
    accounts.look(Reading(60.0, 0.2, 0.0), A)
    assert accounts.culprit is None
    assert verdict(accounts.judge(59.0)) == ("stall", None, 58.8)


def test_a_loop_that_rests_but_does_not_come_gets_no_time():
    event = judge((1, 0, 0, A), [(2, 0, 0, None), (3, 0, 0, None)], (3.1, 0, 0), 2.1)
    assert verdict(event) == ("stall", None, 2)


def test_the_garbage_collector_is_not_laid_to_the_one_it_ran_in():
    event = judge((1, 0, 0, A), [(6, 5, 4.5, A)], (6.1, 5, 4.5), 5.1)
    assert verdict(event) == ("collector", None, 4.5)
    event = judge((1, 0, 0, A), [(6, 5, 4.5, B)], (6.1, 5, 4.5), 5.1)
    assert verdict(event) == ("collector", None, 4.5)


def test_the_collector_in_another_thread_leaves_the_loop_nothing_to_answer_for():
    event = judge((1, 0, 0, A), [(6, 0, 5, B)], (6.1, 0, 5), 5.1)
    assert verdict(event) == ("collector", None, 5)


def test_the_greater_part_decides():
    looks = [(2, 0, 0, A), (3, 0, 0, A), (13, 0, 0, B)]
    assert verdict(judge((1, 0, 0, A), looks, (13.1, 0, 0), 12.1)) == ("stall", None, 10)
    looks = [(2, 0, 0, A), (3, 0, 0, A), (4, 0, 0, A), (6.5, 0, 0, B)]
    assert verdict(judge((1, 0, 0, A), looks, (6.6, 0, 0), 5.6)) == ("step", "a", 3)


def test_a_pause_is_not_counted_as_silence():
    event = judge((4, 3, 0, A), [], (4.1, 3, 0), 3.1)
    assert event.cpu_seconds == 3
    assert event.caused_seconds == 3
    event = judge((1, 1, 0, A), [(2, 1.5, 0, A)], (3, 1.5, 0), 2)
    assert event.cpu_seconds == 0.5


@pytest.mark.parametrize(
    ("named", "text"),
    [
        (A, "a (A) in handle_call of Ask, at a.py:1 work"),
        (Standing(1, "a", "A", "init", None, "x:1 f"), "a (A) in init, at x:1 f"),
        (Standing(1, "a", "A", "A.poll", None, "x:1 f"), "a (A) in its task A.poll, at x:1 f"),
        (Standing(1, "top", "Supervisor", None, None, "x:1 f"), "top (Supervisor), at x:1 f"),
        (Standing(1, None, None, "app.main", None, "x:1 f"), "the task app.main, at x:1 f"),
        (Standing(1, None, None, None, None, "x:1 f"), "no task, at x:1 f"),
    ],
)
def test_who_it_is_in_words(named, text):
    assert who(named) == text


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (judge((1, 0, 0, A), [(3, 0, 0, A)], (3, 0, 0), 2), "by nobody here"),
        (judge((1, 0, 0, A), [(2, 0, 0, A)], (3, 0, 0), 2), "by a (A) in handle_call of Ask, at"),
        (judge((6, 5, 0, A), [], (6, 5, 0), 5), "most likely one of a (A) in handle_call of Ask"),
        (judge((6, 5, 0, None), [], (6, 5, 0), 5), "was over before a look"),
        (judge((6, 5, 5, A), [], (6, 5, 5), 5), "5.00 s of it by the garbage collector"),
        (judge((1, 0, 0, A), [(2, 0, 0, B)], (3, 0, 0), 2), "by many short steps, none of them"),
    ],
)
def test_what_the_log_says(event, words):
    assert sentence(event).startswith(f"the loop was blocked for at least {event.seconds:.2f} s, ")
    assert words in sentence(event)
