"""What the dashboard and the server it runs in agree on."""

from collections.abc import Mapping
from typing import Final

STREAM: Final = "/live"
"""The path of what has no end."""
STAYS: Final = "stays"
"""In the state of a request: to be called where its answer is to go on for long, and ends with the
connection; it takes no place then of those that ask and go."""
HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Of every answer to people."""
