"""What errors and logs say of a reason."""

from supervisors import (
    Shutdown,
    errors,
)
from supervisors.errors import describe


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("nothing to say")


def test_a_detail_that_cannot_say_what_it_is_is_described():
    assert errors.describe(Shutdown(Mute())) == "Mute: (its str() raised RuntimeError)"


def test_a_detail_that_is_no_word_is_reported_by_its_type():
    assert describe(Shutdown("enough")) == "shutdown (enough)"
    assert describe(Shutdown(7)) == "shutdown (7)"
    assert "canary" not in describe(Shutdown({"token": "canary"}))
