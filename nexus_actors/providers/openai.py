"""`openai`: OpenAI itself, by the API that the request asks for, Responses unless it says
otherwise."""

from typing import TYPE_CHECKING

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.http.kind import HttpKind
from nexus_actors.providers.http.settings import HttpSettings

if TYPE_CHECKING:
    from nexus_actors.providers.apis.responses.api import ResponsesOrChatApi


class OpenAISettings(HttpSettings):
    """Settings of the kind `openai`."""

    base_url: str = "https://api.openai.com/v1"

    def server(self, request: LLMRequest) -> str:
        """Its two APIs take different things."""
        return "openai/chat" if request.api_version == "chat_completions" else "openai/responses"


def _api(_: OpenAISettings) -> "ResponsesOrChatApi":
    from nexus_actors.providers.apis.responses.api import ResponsesOrChatApi

    return ResponsesOrChatApi()


PROVIDER = HttpKind(OpenAISettings, _api)
