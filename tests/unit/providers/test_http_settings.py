"""Settings of the HTTP client that make no sense."""

import pytest

from nexus_actors.providers.openai_compatible import OpenAICompatibleSettings


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"proxy": "proxy.example"}, "expected a URL like http://proxy.example:3128"),
        ({"proxy": "http://u:hunter2@h:1"}, "must hold no user name or password"),
        ({"proxy": "http://h:1", "transport": "native"}, '"auto" or "httpx2" beside proxy'),
        ({"transport": "curl"}, "'auto', 'native' or 'httpx2'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=r"validation error") as refused:
        OpenAICompatibleSettings(kind="openai_compatible", base_url="https://h/v1", **given)  # type: ignore[arg-type]
    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)
