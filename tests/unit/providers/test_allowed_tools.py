"""A choice among some of the tools, and one that names a tool that cannot be sent."""

from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.honours import unhonoured, wanted
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import Takes, model_takes
from tests.unit.providers.conversations import USER


def nested(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


TOOLS = (nested("a"), nested("b"), {"type": "web_search"})


def allowed(mode: str, *tools: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


def flat(mode: str, *names: str) -> dict[str, Any]:
    tools = [{"type": "function", "name": name} for name in names]
    return {"type": "allowed_tools", "mode": mode, "tools": tools}


def request(choice: Any, tools: Any = TOOLS) -> LLMRequest:
    return LLMRequest(
        request_id="r", complexity="simple", messages=(USER,), tools=tools, tool_choice=choice
    )


def written(found: Any) -> Prepared:
    assert isinstance(found, Prepared), found
    return found


def chat(choice: Any, takes: Takes, tools: Any = TOOLS) -> Prepared:
    return written(chat_call(request(choice, tools), "m", takes, stream=False))


SOME = [allowed("required", nested("b"), {"type": "web_search"}), flat("required", "b")]
LEFT_OUT = "tools[0]: left out, as tool_choice does not allow it"


@pytest.mark.parametrize("choice", SOME)
def test_chat_has_it_in_the_nested_form_where_it_is_taken(choice: Any) -> None:
    prepared = chat(choice, model_takes("openai/chat", "gpt-4o"))
    assert prepared.body["tool_choice"] == allowed("required", nested("b"))
    assert len(prepared.body["tools"]) == 2
    assert prepared.dropped == ("tools[2]",)


def test_elsewhere_only_those_tools_are_sent() -> None:
    cases = ["mistral", "groq", "openai_compatible", "xai", "gemini_chat"]
    wrong = []
    for choice in SOME:
        for server in cases:
            prepared = chat(choice, model_takes(server, "m"))
            found = ((prepared.body["tool_choice"], prepared.body["tools"]), prepared.dropped)
            expected = (("required", [nested("b")]), ("tools[2]", LEFT_OUT))
            if found != expected:
                wrong.append((choice, server, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_the_mode_is_auto_where_no_call_can_be_forced() -> None:
    for takes in (Takes(forced_tool_choice=False), Takes(tool_choice=False)):
        prepared = chat(flat("required", "b"), takes)
        assert prepared.body["tools"] == [nested("b")]
        assert prepared.body.get("tool_choice", "auto") == "auto"
        assert any(it.startswith("tool_choice") for it in prepared.dropped)
    kept = chat(flat("required", "b"), Takes(forced_tool_choice=False, allowed_tools=True))
    assert kept.body["tool_choice"] == allowed("auto", nested("b"))


def test_a_choice_of_some_tools_that_is_not_forced_leaves_the_model_thinking() -> None:
    takes = model_takes("deepseek", "deepseek-reasoner")
    assert "reasoning_effort" not in "".join(chat(flat("auto", "b"), takes).dropped)
    assert "reasoning_effort" in "".join(chat(flat("required", "b"), takes).dropped)


@pytest.mark.parametrize("choice", SOME)
def test_anthropic_gets_only_those_tools(choice: Any) -> None:
    takes = model_takes("anthropic", "claude-sonnet-4-5")
    prepared = written(
        messages_call(request(choice), "m", takes, stream=False, version="2023-06-01")
    )
    assert [tool["name"] for tool in prepared.body["tools"]] == ["b"]
    assert prepared.body["tool_choice"] == {"type": "any"}
    assert LEFT_OUT in prepared.dropped


@pytest.mark.parametrize(("mode", "word"), [("required", "ANY"), ("auto", "VALIDATED")])
def test_gemini_has_it_by_names(mode: str, word: str) -> None:
    takes = model_takes("gemini", "gemini-2.5-flash")
    prepared = written(generate_content_call(request(flat(mode, "b")), "m", takes, stream=False))
    config = prepared.body["toolConfig"]["functionCallingConfig"]
    assert config == {"mode": word, "allowedFunctionNames": ["b"]}
    assert len(prepared.body["tools"][0]["functionDeclarations"]) == 2


@pytest.mark.parametrize("choice", SOME)
def test_responses_has_it_flat(choice: Any) -> None:
    prepared = written(responses_call(request(choice), "m", Takes(), stream=False))
    sent = prepared.body["tool_choice"]
    assert (sent["type"], sent["mode"]) == ("allowed_tools", "required")
    assert sent["tools"][0] == {"type": "function", "name": "b"}


def test_where_none_that_is_allowed_can_be_sent_none_is_called() -> None:
    choice = allowed("required", {"type": "web_search"})
    prepared = chat(choice, model_takes("openai/chat", "gpt-4o"))
    assert prepared.body["tool_choice"] == "none"
    assert "tool_choice" in prepared.dropped[-1]


@pytest.mark.parametrize(
    "choice", [{"type": "web_search"}, {"type": "custom", "custom": {"name": "c"}}]
)
def test_a_choice_of_a_tool_that_is_dropped_is_dropped(choice: Any) -> None:
    tools = (*TOOLS, {"type": "custom", "custom": {"name": "c"}})
    prepared = chat(choice, model_takes("mistral", "mistral-large-latest"), tools)
    assert "tool_choice" not in prepared.body
    assert "tool_choice" in prepared.dropped


def test_what_is_forced_is_seen() -> None:
    cases = [
        (flat("required", "b"), True),
        (allowed("required", nested("b")), True),
        (flat("auto", "b"), False),
        (allowed("auto", nested("b")), False),
        ({"type": "web_search"}, True),
        ({"type": "file_search"}, False),
        ({"type": "custom", "custom": {"name": "c"}}, False),
        ("any", True),
        ("auto", False),
        ("none", False),
    ]
    wrong = []
    for choice, forced in cases:
        why = unhonoured(wanted(request(choice)), Takes(forced_tool_choice=False))
        found = why is not None
        if found != forced:
            wrong.append((choice, forced, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_custom_tool_that_must_be_called_is_seen() -> None:
    tools = ({"type": "custom", "custom": {"name": "c"}},)
    asked = request({"type": "custom", "custom": {"name": "c"}}, tools)
    assert unhonoured(wanted(asked), Takes(forced_tool_choice=False)) is not None
