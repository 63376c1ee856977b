"""What is the same for the calls of an answer, whichever API it came by."""

from hashlib import blake2b


def made_id(place: int, answer_id: str) -> str:
    """For a call that has no id: another one in each answer that has an id of its own, the same
    whenever it is read. `place`: in the answer's list."""
    text = f"{answer_id}\0{place}".encode("utf-8", "replace")
    return "call_" + blake2b(text, digest_size=12).hexdigest()
