"""The file of what models take: how its entries are laid over each other, and by which name."""

from pathlib import Path

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.openai import OpenAISettings
from nexus_actors.providers.takes import (
    EFFORTS,
    Takes,
    model_takes,
    nearest,
    plain_name,
    with_changes,
)


def test_a_model_is_known_by_its_name_whoever_serves_it() -> None:
    cases = [
        ("gpt-6", "gpt-6"),
        ("GPT-6", "gpt-6"),
        ("openai/gpt-6", "gpt-6"),
        ("models/gemini-3.8-flash", "gemini-3.8-flash"),
        ("ft:o4-mini-2025-04-16:my-org:custom:id", "o4-mini-2025-04-16"),
        ("us.anthropic.claude-opus-4-8-20260101-v1:0", "claude-opus-4-8-20260101-v1:0"),
        ("anthropic/claude-opus-4.8", "claude-opus-4-8"),
        ("claude-opus-4-8@20260101", "claude-opus-4-8@20260101"),
        ("accounts/fireworks/models/llama-4", "llama-4"),
        ("anthropic.claude-opus-4-8-v1:0", "claude-opus-4-8-v1:0"),
        ("bedrock/us-gov.anthropic.claude-opus-4.8", "claude-opus-4-8"),
        ("hf.co/x/qwen3-14b-claude-sonnet-4.5-distill", "qwen3-14b-claude-sonnet-4.5-distill"),
        ("not-claude-opus-4.8", "not-claude-opus-4.8"),
        ("x.claude-opus-4.8", "x.claude-opus-4.8"),
        ("claudette-1.5", "claudette-1.5"),
        ("ft:", ""),
        ("", ""),
    ]
    wrong = [
        (model, plain, found) for model, plain in cases if (found := plain_name(model)) != plain
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_the_nearest_effort_is_sent_the_lesser_of_two() -> None:
    cases = [
        ("high", EFFORTS, "high"),
        ("xhigh", ("low", "medium", "high"), "high"),
        ("max", ("low", "medium", "high"), "high"),
        ("minimal", ("low", "medium", "high"), "low"),
        ("none", ("low", "medium"), "low"),
        ("minimal", ("none", "low"), "none"),
        ("medium", ("low", "high"), "low"),
        ("xhigh", ("high", "max"), "high"),
        ("none", ("high",), "high"),
    ]
    wrong = [
        (effort, taken, sent, found)
        for effort, taken, sent in cases
        if (found := nearest(effort, taken)) != sent
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_model_that_nobody_knows_takes_everything() -> None:
    assert model_takes("openai_compatible", "future-model-9") == Takes()


def test_not_all_that_has_the_name_in_its_own_is_claude() -> None:
    cases = [
        "claude-distill",
        "claude-distill-3-5",
        "x/qwen3-14b-claude-sonnet-4.5-distill",
        "claudette-opus-4",
    ]
    wrong = []
    for server in ["vllm", "openai_compatible", "ollama", "openrouter"]:
        for model in cases:
            found = model_takes(server, model)
            expected = model_takes(server, "future-model-9")
            if found != expected:
                wrong.append((server, model, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_claude_of_a_family_to_come_is_taken_for_the_newest() -> None:
    newest = model_takes("anthropic", "claude-fable-5-2")
    assert model_takes("anthropic", "claude-newname-7") == newest
    assert model_takes("vllm", "claude-fable-9").prefill is False


def test_an_entry_for_a_kind_holds_for_each_of_its_apis() -> None:
    assert not model_takes("openai/responses", "gpt-4o").stop
    assert model_takes("openai/chat", "gpt-4o").stop
    chat, responses = model_takes("openai/chat", "gpt-6"), model_takes("openai/responses", "gpt-6")
    assert chat.samplers == responses.samplers != "both"


def test_the_config_has_the_last_word_on_what_it_names_and_on_nothing_else() -> None:
    known = Takes(samplers="none", stop=False)
    assert with_changes(known, None) == known
    changed = with_changes(known, Takes(samplers="both", efforts=("low",)))
    assert changed == Takes(samplers="both", stop=False, efforts=("low",))


def test_a_limit_that_the_config_knows_is_the_models() -> None:
    settings = OpenAISettings.model_validate(
        {
            "kind": "openai",
            "models": {
                "gpt-6": {"max_output_tokens": 1000, "takes": {"stop": True}},
                "gpt-5": {"max_output_tokens": 2000},
            },
        }
    )
    request = LLMRequest(request_id="r", complexity="simple", messages=())
    known = model_takes("openai/responses", "gpt-6")
    changed = settings.takes("gpt-6", request)
    assert changed == known.model_copy(update={"max_output_tokens": 1000, "stop": True})
    assert settings.takes("gpt-5", request).max_output_tokens == 2000
    assert settings.takes("gpt-6.1-sol", request).max_output_tokens == known.max_output_tokens


def test_the_docs_say_what_each_field_means() -> None:
    page = (Path(__file__).parents[3] / "docs" / "providers_and_models.md").read_text(
        encoding="utf-8"
    )
    table = "".join(line for line in page.splitlines() if line.startswith("| `"))
    assert [name for name in Takes.model_fields if f"`{name}`" not in table] == []


def test_how_many_stop_sequences_are_taken() -> None:
    cases = [
        ("openai/chat", "gpt-4o", 4),
        ("azure", "my-deployment", 4),
        ("openai_compatible", "openai/gpt-4o", 4),
        ("openai_compatible", "llama-3", None),
        ("gemini", "gemini-2.5-flash", 5),
        ("gemini", "gemini-9-ultra", 5),
        ("gemini_chat", "gemini-2.5-flash", 5),
        ("xai", "grok-4-fast-non-reasoning", 4),
        ("groq", "llama-3.3-70b", 4),
        ("deepseek", "deepseek-chat", 16),
    ]
    wrong = [
        (server, model, most, found)
        for server, model, most in cases
        if (found := model_takes(server, model).most_stops) != most
    ]
    assert not wrong, "\n".join(map(repr, wrong))
