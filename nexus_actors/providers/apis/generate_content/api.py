"""generateContent, Gemini's own API. Keys are sent as `x-goog-api-key`."""

from collections.abc import Mapping
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.generate_content.answer import read_generated
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.apis.generate_content.stream import GenerateContentStream
from nexus_actors.providers.failures import failed_status
from nexus_actors.providers.http.api import FreeCall, Prepared, Reading
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


class GenerateContentApi:
    """Stateless; an `HttpApi`."""

    # https://ai.google.dev/api/models: the default page has 50 models.
    free_call = FreeCall("/models?pageSize=1000")

    def headers(self, key: str) -> Mapping[str, str]:
        return {"x-goog-api-key": key} if key else {}

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        return generate_content_call(request, model, takes, stream=stream)

    def read(self, value: Mapping[str, Any]) -> Reading | ProviderFailure:
        return read_generated(value)

    def failed(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: float
    ) -> ProviderFailure:
        return failed_status(status, headers, body, now=now)

    def reader(self) -> GenerateContentStream:
        return GenerateContentStream()
