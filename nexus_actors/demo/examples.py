"""The example requests and their expected outcomes, derived from the files."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from nexus_actors.cli.report import CommandError
from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.providers.local_model import weights

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "config" / "examples"


@dataclass(frozen=True, slots=True)
class Examples:
    """The messages in order of sending, and the request ids by their fate."""

    config: str
    """TOML without a [service] section."""
    messages: tuple[str, ...]
    """JSON text, as a producer sends it."""
    ids: tuple[str, ...]
    """Every id once."""
    refused: frozenset[str]
    """Requests that are refused before any provider sees them."""
    duplicates: frozenset[str]
    """Requests that are sent more than once."""
    local: frozenset[str]
    """Requests for the local model; none if it is not installed."""


def read_examples() -> Examples:
    """Read the examples of this repository."""
    try:
        config, lines = _read("demo.toml"), _read("requests.jsonl").splitlines()
        local = _read("local.jsonl").splitlines() if weights.missing(None) is None else []
        if local:
            config += _read("local.toml")
    except OSError as error:
        raise CommandError(
            f"the demo needs {error.filename}: run it from a checkout of the repository"
        ) from error
    messages = tuple(line for line in [*lines, *local] if line.strip())
    ids = Counter(_request_id(message) for message in messages)
    return Examples(
        config=config,
        messages=messages,
        ids=tuple(ids),
        refused=frozenset(
            _request_id(message)
            for message in messages
            if isinstance(decode_request(message), Refusal)
        ),
        duplicates=frozenset(request_id for request_id, count in ids.items() if count > 1),
        local=frozenset(map(_request_id, local)),
    )


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _request_id(message: str) -> str:
    fields = json.loads(message)
    return str(fields.get("request_id") or fields["request"]["request_id"])
