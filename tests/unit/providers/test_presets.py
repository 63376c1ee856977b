"""Presets: what is filled in, and what goes over the wire otherwise than OpenAI has it."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.preset_api import PresetApi
from nexus_actors.providers.apis.chat.presets import PRESETS, PresetName
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.openai_compatible import OpenAICompatibleSettings
from nexus_actors.providers.takes import model_takes
from nexus_actors.settings import Settings, SettingsErrors, parse_settings
from tests.unit.providers.conversations import FLAT, USER

LOCAL = {"ollama", "vllm", "llama_cpp", "lm_studio"}
EVERYTHING: dict[str, Any] = {
    "messages": ({**USER, "name": "ann"},),
    "max_tokens": 100,
    "seed": 7,
    "stop": ("END",),
    "temperature": 0.5,
    "tools": (FLAT,),
    "tool_choice": "auto",
    "parallel_tool_calls": False,
}


def settings(preset: str | None, **given: Any) -> OpenAICompatibleSettings:
    table = {"kind": "openai_compatible", "preset": preset, **given}
    return OpenAICompatibleSettings.model_validate(table)


def prepared(preset: str, model: str = "m", *, stream: bool = False, **fields: Any) -> Prepared:
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    takes = model_takes(preset, model)
    call = PresetApi(PRESETS[preset], {}).prepare(request, model, takes, stream=stream)
    assert isinstance(call, Prepared), call
    return call


def test_every_name_has_its_row() -> None:
    assert set(get_args(PresetName)) == set(PRESETS)


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"azure"}))
def test_fills_in_what_is_not_given(name: str) -> None:
    filled = settings(name)
    assert filled.base_url == PRESETS[name].base_url
    assert filled.free == (name in LOCAL)
    given = settings(name, base_url="https://proxy.example/v1", free=not filled.free)
    assert (given.base_url, given.free) == ("https://proxy.example/v1", not filled.free)


def test_azure_has_no_base_url_of_its_own() -> None:
    with pytest.raises(ValidationError, match="base_url"):
        settings("azure")
    url = "https://res.openai.azure.com/openai/v1"
    assert settings("azure", base_url=url).base_url == url


def test_an_unknown_preset_is_a_mistake_that_names_the_known_ones() -> None:
    table = {"kind": "openai_compatible", "preset": "grok", "base_url": "https://h.example"}
    errors = parse_settings({"providers": {"x": table}}, {"GROQ_API_KEY": "k"})
    assert isinstance(errors, SettingsErrors)
    [mistake] = errors.mistakes
    assert (mistake.path, mistake.found) == ("providers.x.preset", '"grok"')
    assert mistake.expected == f"one of {', '.join(sorted(PRESETS))}"


def test_a_config_needs_no_more_than_the_preset() -> None:
    tables = {"mine": {"kind": "openai_compatible", "preset": "ollama"}}
    loaded = parse_settings({"providers": tables, "routes": [{"models": ["mine/m"]}]}, {})
    assert isinstance(loaded, Settings), str(loaded)
    assert "mine" in loaded.providers


@pytest.mark.parametrize("name", ["openrouter", "together", "vllm", "llama_cpp"])
def test_most_take_what_openai_takes(name: str) -> None:
    request = LLMRequest(request_id="r", complexity="simple", **EVERYTHING)
    plain = chat_call(request, "m", model_takes("openai_compatible", "m"), stream=True)
    assert prepared(name, stream=True, **EVERYTHING) == plain


@pytest.mark.parametrize("name", ["groq", "xai", "azure"])
def test_the_newer_name_of_the_limit(name: str) -> None:
    body = prepared(name, **EVERYTHING).body
    assert body["max_completion_tokens"] == 100
    assert "max_tokens" not in body


def test_mistral_has_names_of_its_own_and_takes_nothing_else() -> None:
    call = prepared("mistral", stream=True, **EVERYTHING)
    assert (call.body["random_seed"], call.body["max_tokens"]) == (7, 100)
    assert not {"seed", "stream_options", "max_completion_tokens"} & call.body.keys()
    assert call.body["messages"] == [USER]
    assert call.dropped == ("messages[0].name",)  # how a stream is asked for is our own affair
    assert prepared("mistral", "o3", max_tokens=9, messages=(USER,)).body["max_tokens"] == 9


def test_groq_refuses_names() -> None:
    call = prepared("groq", messages=(USER, {**USER, "name": "ann"}))
    assert call.body["messages"] == [USER, USER]
    assert call.dropped == ("messages[1].name",)


def test_ollama_would_ignore_it_without_a_word() -> None:
    call = prepared("ollama", **EVERYTHING, store=True)
    assert "parallel_tool_calls" not in call.body
    assert call.dropped == ("store", "parallel_tool_calls")


def test_azure_has_the_key_in_a_header_of_its_own() -> None:
    api = PresetApi(PRESETS["azure"], {"api-version": "preview & more"})
    assert api.headers("k") == {"api-key": "k"}
    assert api.headers("") == {}
    request = LLMRequest(request_id="r", complexity="simple", messages=(USER,))
    call = api.prepare(request, "m", model_takes("azure", "m"), stream=False)
    assert isinstance(call, Prepared)
    assert call.path == "/chat/completions?api-version=preview+%26+more"


def test_all_others_have_it_where_openai_has_it() -> None:
    for name in PRESETS.keys() - {"azure"}:
        assert PresetApi(PRESETS[name], {}).headers("k") == {"Authorization": "Bearer k"}
