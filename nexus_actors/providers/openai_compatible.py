"""`openai_compatible`: chat completions of every server that speaks as OpenAI does; the known ones
by a preset."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.presets import PLAIN, PRESETS, PresetName
from nexus_actors.providers.http.kind import HttpKind
from nexus_actors.providers.http.settings import HttpSettings

if TYPE_CHECKING:
    from nexus_actors.providers.apis.chat.preset_api import PresetApi


class OpenAICompatibleSettings(HttpSettings):
    """Settings of the kind `openai_compatible`."""

    base_url: str = Field(json_schema_extra={"expected": "a URL like https://host/v1, or a preset"})
    preset: PresetName | None = None
    """A known server: sets `base_url` and `free` unless they are given, and adapts requests to what
    the server accepts."""
    query: dict[str, str] = Field(default_factory=dict)
    """Query parameters of each call's URL, such as Azure's `api-version`. Not for secrets."""

    def server(self, request: LLMRequest) -> str:
        """The preset, where there is one."""
        return self.preset or self.kind

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        name = given.get("preset") if isinstance(given, Mapping) else None
        preset = PRESETS.get(name) if isinstance(name, str) else None
        if preset is None and name is not None:
            return {"base_url": "https://unknown.invalid", **given}  # one mistake, not two
        if preset is None:
            return given
        filled: dict[str, Any] = {"free": preset.free}
        # None where every account has its own: refused below by the form that it has.
        filled["base_url"] = preset.base_url
        return {**filled, **given}

    @field_validator("base_url", mode="before")
    @classmethod
    def _tell_form(cls, given: Any) -> Any:
        if given is None:
            forms = (
                f"{it.base_url_form} (preset {name})"
                for name, it in PRESETS.items()
                if it.base_url_form
            )
            raise ValueError(f"expected your own, such as {', '.join(forms)}")
        return given


def _api(settings: OpenAICompatibleSettings) -> "PresetApi":
    from nexus_actors.providers.apis.chat.preset_api import PresetApi

    preset = PLAIN if settings.preset is None else PRESETS[settings.preset]
    return PresetApi(preset, settings.query)


PROVIDER = HttpKind(OpenAICompatibleSettings, _api)
