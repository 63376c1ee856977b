"""Ids of the calls in an answer, for all APIs."""

from collections.abc import Container
from hashlib import blake2b


def made_id(place: int, answer_id: str) -> str:
    """Generate an id for a call that has none. It is the same at each reading, and differs between
    answers that have ids. `place`: the call's index in the answer."""
    text = f"{answer_id}\0{place}".encode("utf-8", "replace")
    return "call_" + blake2b(text, digest_size=12).hexdigest()


def own_id(given: str | None, made: str, taken: Container[str]) -> str:
    """The id to publish: the given one, unless it is missing or another call has it."""
    return made if given is None or given in taken else given
