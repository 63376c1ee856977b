"""Names that the dashboard and its server share."""

from collections.abc import Mapping
from typing import Final

STREAM: Final = "/live"
"""The path of streams, which have no end."""
STAYS: Final = "stays"
"""Key in a request's ASGI state: a function to call if the response is a stream that lasts as long
as its connection, which then no longer counts towards the limit of connections."""
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
"""The headers of every response to people."""
