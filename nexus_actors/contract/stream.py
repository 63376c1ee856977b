"""The text of a streamed answer on its way to the caller, piece by piece.

Pieces are best effort: each may be lost, and the result is authoritative. They travel as PostgreSQL
notifications on a channel of the request's own.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from nexus_actors.contract.json_text import Parsed, parse

PIECE_LIMIT = 600
"""Characters: escaped at their longest (12 bytes each) they fit in a notification (8,000 bytes)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that follows what came before in the same attempt."""

    attempt: int
    """Which call to a provider it comes from; a new one begins the answer anew."""
    number: int
    """Counted from 0 within the attempt: a gap tells that a piece was lost."""
    text: str


def stream_channel(request_id: str) -> str:
    """The channel of one request's pieces: a valid name, whatever the id.

    Callers in other languages compute it as well, so its hash is one that SQL and OTP have.
    """
    return f"nexus_stream_{sha256(request_id.encode()).hexdigest()[:40]}"


def encode_piece(piece: Piece) -> str:
    """As JSON text, in ASCII."""
    return json.dumps(
        {"attempt": piece.attempt, "number": piece.number, "text": piece.text},
        separators=(",", ":"),
    )


def decode_piece(payload: str) -> Piece | None:
    """None for what is no piece."""
    match parse(payload):
        case Parsed({"attempt": int(attempt), "number": int(number), "text": str(text)}):
            return Piece(attempt, number, text)
        case _:
            return None
