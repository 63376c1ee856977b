"""Chat completions for the servers in `presets.py`, and for all others."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.api import ChatApi
from nexus_actors.providers.apis.chat.presets import Preset
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


class PresetApi(ChatApi):
    """Chat completions as one kind of server accepts them; an `HttpApi`."""

    def __init__(self, preset: Preset, query: Mapping[str, str]) -> None:
        self.dialect = preset.dialect
        self._key_header = preset.key_header
        self._query = f"?{urlencode(query)}" if query else ""
        self.free_call = replace(preset.free_call, path=preset.free_call.path + self._query)

    def headers(self, key: str) -> Mapping[str, str]:
        name = self._key_header
        return super().headers(key) if name == "Authorization" or not key else {name: key}

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        prepared = super().prepare(request, model, takes, stream=stream)
        if isinstance(prepared, ProviderFailure) or not self._query:
            return prepared
        return replace(prepared, path=prepared.path + self._query)
