"""What a provider quotes of the key or the prompt does not get further."""

from hypothesis import given
from hypothesis import strategies as st

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.redact import (
    MESSAGE_LIMIT,
    request_secrets,
    request_texts,
    safe_message,
)

KEY = "sk-canary-0123456789"
PROMPT = "the patient's name is Jane Roe and she lives in Springfield"


def safe(text: str) -> str:
    return safe_message(text, secrets=[KEY], prompt=[PROMPT])


def test_masks_the_key_wherever_it_stands() -> None:
    assert safe(f"bad key {KEY}, not allowed: {KEY}") == "bad key [key], not allowed: [key]"


def test_masks_a_part_of_the_key() -> None:
    assert safe(f"bad key {KEY[:12]}***{KEY[-6:]}") == "bad key [key]***[key]"


def test_masks_a_short_key_and_lets_what_is_no_secret_be() -> None:
    assert safe_message("key abcd", secrets=["abcd"], prompt=[]) == "key [key]"
    assert safe_message("key x", secrets=["x", ""], prompt=[]) == "key x"


def test_masks_a_quoted_prompt_and_keeps_common_words() -> None:
    assert safe(f"invalid content: '{PROMPT}'") == "invalid content: '[prompt]'"
    assert safe(f"cut: {PROMPT[5:40]}…") == "cut: [prompt]…"
    assert safe("name is missing") == "name is missing"


@given(st.integers(0, len(PROMPT) - 20), st.text("xyz", max_size=40), st.text("xyz", max_size=40))
def test_masks_any_twenty_characters_of_the_prompt_wherever(at: int, front: str, end: str) -> None:
    assert safe(f"{front}|{PROMPT[at : at + 20]}|{end}") == f"{front}|[prompt]|{end}"


def test_is_one_line_without_control_characters() -> None:
    assert safe("a\n\tb\x1b[31m c\x00") == "a b [31m c"


@given(before=st.text(max_size=600), after=st.text(max_size=600))
def test_never_lets_the_key_through_and_stays_short(before: str, after: str) -> None:
    text = safe(before + KEY + after)
    assert len(text) <= MESSAGE_LIMIT
    assert KEY[:8] not in text


def test_finds_texts_at_any_depth() -> None:
    call = {"id": "c1", "function": {"name": "f", "arguments": "{}"}}
    request = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=(
            {"role": "user", "content": "plain"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ),
        tools=({"type": "mcp", "headers": {"A": "b"}},),
        mcp_servers=({"server_label": "l", "authorization": "c"},),
    )
    assert list(request_texts(request)) == [
        *("plain", "image_url", "data:x", "", "f", "{}", "mcp", "b", "l", "c"),
    ]
    assert list(request_secrets(request)) == ["c", "b"]
