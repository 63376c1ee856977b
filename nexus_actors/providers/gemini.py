"""`gemini`: Google's models, by their own API."""

from typing import TYPE_CHECKING

from nexus_actors.providers.http.kind import HttpKind
from nexus_actors.providers.http.settings import HttpSettings

if TYPE_CHECKING:
    from nexus_actors.providers.apis.generate_content.api import GenerateContentApi


class GeminiSettings(HttpSettings):
    """Settings of the kind `gemini`."""

    base_url: str = "https://generativelanguage.googleapis.com/v1beta"


def _api(_: GeminiSettings) -> "GenerateContentApi":
    from nexus_actors.providers.apis.generate_content.api import GenerateContentApi

    return GenerateContentApi()


PROVIDER = HttpKind(GeminiSettings, _api)
