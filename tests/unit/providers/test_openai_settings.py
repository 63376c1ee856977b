"""Settings and keys are checked before anything is sent."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from nexus_actors.providers.openai_compatible import PROVIDER, OpenAICompatibleSettings


def settings(base_url: str = "https://llm.example/v1", **more: Any) -> OpenAICompatibleSettings:
    return OpenAICompatibleSettings(kind="openai_compatible", base_url=base_url, **more)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:8080/v1",
        "http://127.9.9.9",
        "http://localhost:11434/v1",
        "http://[::1]:8080/v1",
    ],
)
def test_accepts(url: str) -> None:
    assert settings(url).base_url == url


def test_a_slash_at_the_end_makes_no_difference() -> None:
    assert settings("https://llm.example/v1/").base_url == "https://llm.example/v1"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://llm.example/v1", "allow_insecure"),
        ("http://localhost.example/v1", "allow_insecure"),
        ("http://10.0.0.1/v1", "allow_insecure"),
        ("ftp://llm.example", "expected a URL"),
        ("llm.example/v1", "expected a URL"),
        ("https://", "expected a URL"),
        ("https://:443/v1", "expected a URL"),
        ("", "expected a URL"),
        ("https://llm.example:99999/v1", "[Pp]ort"),
        ("https://ann:canary@llm.example/v1", "api_key_env"),
        ("https://llm.example/v1?key=1", "query"),
        ("https://llm.example/v1#a", "fragment"),
        ("https://llm.example/v 1", "ASCII"),
        ("https://llm.example/ä", "ASCII"),
    ],
)
def test_refuses(url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as error:
        settings(url)
    assert "canary" not in str(error.value)


def test_plain_http_elsewhere_only_when_allowed() -> None:
    assert settings("http://10.0.0.1/v1", allow_insecure=True).allow_insecure


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"host": "other"},
        {"Content-Length": "0"},
        {"X-A": "a\r\nX-B: b"},
        {"X-A": "ä"},
        {"X A": "a"},
        {"": "a"},
    ],
)
def test_refuses_headers_that_could_do_harm(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(headers=headers)


@pytest.mark.parametrize("key", ["", "  ", "sk-canary\nX-Evil: 1", "sk-canary\x00", "sk-canäry"])
def test_a_key_that_cannot_be_sent_is_reported_by_its_variable(key: str) -> None:
    with pytest.raises(ValueError, match="LLM_KEY") as error:
        PROVIDER.open("p", settings(api_key_env="LLM_KEY"), SecretStr(key))
    assert "can" not in str(error.value).replace("characters", "")
