"""The kind `local` as a config names it: what is known of its model, and what is missing."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.local import LocalSettings, _http
from nexus_actors.providers.local_model import weights
from nexus_actors.providers.local_model.address import Listening
from nexus_actors.providers.local_model.server import _is_passed_on
from nexus_actors.providers.takes import Takes
from nexus_actors.settings import Settings, parse_settings


def settings(**given: Any) -> LocalSettings:
    return LocalSettings.model_validate({"kind": "local", **given})


def test_routing_learns_the_models_window_limit_and_price() -> None:
    facts = settings(model="mine", context_window=4096, max_tokens=100).models["mine"]
    assert facts.context_window == 4096
    assert facts.max_output_tokens == 100
    assert facts.input_price == facts.output_price == 0


def test_what_the_config_says_of_the_model_wins() -> None:
    own = {weights.MODEL: {"input_price": 1.0, "output_price": 2.0}}
    assert settings(models=own).models[weights.MODEL].output_price == 2.0


def test_what_the_config_does_not_say_of_it_is_known_all_the_same() -> None:
    own = {weights.MODEL: {"takes": {"stop": False}}}
    facts = settings(models=own, context_window=4096).models[weights.MODEL]
    assert facts.takes == Takes(stop=False)
    assert (facts.context_window, facts.output_price) == (4096, 0.0)


def test_what_it_takes_is_what_llama_cpp_takes_and_what_the_config_says() -> None:
    own = {weights.MODEL: {"takes": {"stop": False}}}
    own_settings = settings(models=own)
    request = LLMRequest(request_id="r", complexity="simple", messages=())
    assert own_settings.server(request) == "llama_cpp"
    http, key = _http(own_settings, Listening("http://127.0.0.1:1", "k"))
    assert (http.server(request), http.free, key.get_secret_value()) == ("llama_cpp", True, "k")
    assert http.models == own_settings.models


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"model": 5}, {"context_window": "many"}])
def test_what_is_wrong_is_named_by_its_own_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]


def config(**given: Any) -> Settings:
    tables = {"local": {"kind": "local", **given}, "echo": {"kind": "echo"}}
    routes = [{"models": [f"local/{weights.MODEL}", "echo/echo"]}]
    outcome = parse_settings({"providers": tables, "routes": routes}, {})
    assert isinstance(outcome, Settings), outcome
    return outcome


def test_where_it_is_installed_it_is_a_provider_without_a_key() -> None:
    assert config().providers["local"].api_keys == ()


def test_without_the_engine_it_is_left_out_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "ENGINE", "no_such_package")
    why = config().left_out["local"].why
    assert why == "no_such_package is not installed (run: nexus local-model install)"


def test_without_the_weights_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "WEIGHTS", "no-such-package")
    why = config().left_out["local"].why
    assert why == "its weights are not installed (run: nexus local-model install)"


def test_a_model_file_needs_no_installed_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights, "WEIGHTS", "no-such-package")
    file = tmp_path / "mine.gguf"
    assert config(model_file=str(file)).left_out["local"].why == f"there is no file {file}"
    file.touch()
    assert config(model_file=str(file)).left_out == {}


@pytest.mark.parametrize(
    ("name", "passed"),
    [
        ("PATH", True),
        ("LD_LIBRARY_PATH", True),
        ("OMP_NUM_THREADS", True),
        ("OPENAI_API_KEY", False),
        ("DATABASE_URL", False),
        ("LLAMA_API_KEY", False),
    ],
)
def test_the_process_gets_of_the_environment_what_it_needs(name: str, passed: bool) -> None:
    assert _is_passed_on(name) is passed
