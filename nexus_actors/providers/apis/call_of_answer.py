"""What is the same for the calls of an answer, whichever API it came by."""

from collections.abc import Container
from hashlib import blake2b


def made_id(place: int, answer_id: str) -> str:
    """For a call that has no id: another one in each answer that has an id of its own, the same
    whenever it is read. `place`: in the answer's list."""
    text = f"{answer_id}\0{place}".encode("utf-8", "replace")
    return "call_" + blake2b(text, digest_size=12).hexdigest()


def own_id(given: str | None, made: str, taken: Container[str]) -> str:
    """The id that a call leaves with. One that another call of the answer has is none."""
    return made if given is None or given in taken else given
