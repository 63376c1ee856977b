"""`anthropic`: Anthropic's Messages API.

`POST {base_url}/messages` with `x-api-key` and `anthropic-version`. How a request is written, and
what cannot be said there, stands in `apis/messages/request.py`.
"""

from typing import TYPE_CHECKING

from pydantic import Field

from nexus_actors.providers.http.kind import HttpKind
from nexus_actors.providers.http.settings import HttpSettings

if TYPE_CHECKING:
    from nexus_actors.providers.apis.messages.api import MessagesApi


class AnthropicSettings(HttpSettings):
    """Settings of the kind `anthropic`."""

    base_url: str = "https://api.anthropic.com/v1"
    api_version: str = Field(default="2023-06-01", pattern=r"^\d{4}-\d{2}-\d{2}$")
    """The API version, sent as `anthropic-version`."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The output limit of requests that set none. Without it, the model's own limit."""
    cache: bool = False
    """Cache every prompt in full: reading it again costs a tenth, writing it a quarter more.
    Without it, requests ask for caching themselves (`cache_control`)."""


def _api(settings: AnthropicSettings) -> "MessagesApi":
    from nexus_actors.providers.apis.messages.api import MessagesApi

    return MessagesApi(
        version=settings.api_version, max_tokens=settings.max_tokens, cache=settings.cache
    )


PROVIDER = HttpKind(AnthropicSettings, _api)
