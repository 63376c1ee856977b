"""Thinking that is switched off stays off, whatever effort stands beside it; the effort is told."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.dialect import OPENAI, Dialect
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import USER

TOLD = "reasoning_effort: thinking is disabled"


def request(effort: Any) -> LLMRequest:
    return LLMRequest(
        request_id="r",
        complexity="simple",
        messages=(USER,),
        reasoning_effort=effort,
        thinking={"type": "disabled"},
    )


def written(found: Any) -> Prepared:
    assert isinstance(found, Prepared), found
    return found


@pytest.mark.parametrize("effort", [None, "none", "low", "max"])
def test_disabled_is_not_overridden(effort: Any) -> None:
    asked = request(effort)
    deepseek = written(
        chat_call(
            asked,
            "m",
            model_takes("deepseek", "deepseek-reasoner"),
            stream=False,
            dialect=Dialect(thinking=True),
        )
    )
    assert deepseek.body["thinking"] == {"type": "disabled"}
    assert "reasoning_effort" not in deepseek.body
    assert deepseek.names["thinking"] == "thinking"
    responses = written(
        responses_call(asked, "m", model_takes("openai/responses", "gpt-5.2"), stream=False)
    )
    assert responses.body["reasoning"]["effort"] == "none"
    gemini = written(
        generate_content_call(asked, "m", model_takes("gemini", "gemini-2.5-flash"), stream=False)
    )
    assert gemini.body["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 0}
    for prepared in (deepseek, responses, gemini):
        assert (TOLD in prepared.dropped) == (effort in ("low", "max"))


def test_nor_where_the_effort_alone_can_say_so() -> None:
    takes = model_takes("openai/chat", "gpt-5.2")
    prepared = written(chat_call(request("high"), "m", takes, stream=False, dialect=OPENAI))
    assert prepared.body["reasoning_effort"] == "none"
    assert TOLD in prepared.dropped


def test_the_nearest_is_reported_where_the_model_always_thinks() -> None:
    takes = model_takes("openai/chat", "gpt-5")
    prepared = written(chat_call(request("high"), "m", takes, stream=False, dialect=OPENAI))
    assert prepared.body["reasoning_effort"] == "minimal"
    assert len(prepared.dropped) == 2


def test_nor_where_the_model_does_not_think() -> None:
    takes = model_takes("openai/chat", "gpt-4o")
    prepared = written(chat_call(request("high"), "m", takes, stream=False))
    assert "reasoning_effort" not in prepared.body
    assert TOLD in prepared.dropped
