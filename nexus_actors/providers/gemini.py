"""`gemini`: Google's models, by their own API."""

from nexus_actors.providers.apis.generate_content.api import GenerateContentApi
from nexus_actors.providers.http.provider import HttpKind
from nexus_actors.providers.http.settings import HttpSettings


class GeminiSettings(HttpSettings):
    """Settings of the kind `gemini`."""

    base_url: str = "https://generativelanguage.googleapis.com/v1beta"


def _api(_: GeminiSettings) -> GenerateContentApi:
    return GenerateContentApi()


PROVIDER = HttpKind(GeminiSettings, _api)
