"""What is refused before anything is sent."""

import math
import re
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.client import InvalidArguments, LLMService
from nexus_actors.client.arguments import build_call, build_task, checked_timeout, checked_url
from nexus_actors.settings.load import parse_settings
from nexus_actors.settings.model import Settings

QUESTION = [{"role": "user", "content": "hello"}]


def call(
    model_or_complexity: object = "simple",
    messages: Any = QUESTION,
    timeout: float | None = 1.5,
    **options: Any,
) -> Any:
    return build_call(model_or_complexity, messages, timeout=timeout, options=options).request


def test_a_word_of_complexity_is_one_and_anything_else_a_model() -> None:
    request = call("complex", request_id="r")
    assert (request.complexity, request.model, request.timeout) == ("complex", "auto", 1.5)
    request = call("gpt-5", task_type="architect", timeout=None)
    assert (request.complexity, request.model, request.timeout) == ("complex", "gpt-5", None)
    assert call("gpt-5").complexity == "medium"
    assert call("gpt-5", complexity="simple").complexity == "simple"
    assert call("chat", complexity="simple").model == "chat"


NO_REQUESTS = [
    ({"model_or_complexity": None}, "model_or_complexity"),
    ({"model_or_complexity": " "}, "model_or_complexity"),
    ({"model_or_complexity": "Simple"}, "did you mean simple?"),
    ({"model_or_complexity": "Coder"}, "expected medium, with task_type='coder'"),
    ({"model_or_complexity": "simple", "complexity": "complex"}, "complexity"),
    ({"model_or_complexity": "gpt-5", "model": "gpt-4"}, "model"),
    ({"messages": []}, "empty_messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": 5}, "messages"),
    ({"messages": [{"role": "nobody", "content": "x"}]}, r"messages\[0\]\.role"),
    ({"timeout": 0}, "timeout"),
    ({"timeout": -1.0}, "timeout"),
    ({"timeout": math.nan}, "timeout"),
    ({"timeout": math.inf}, "timeout"),
    ({"timeout": "5"}, "timeout"),
    ({"timeout": 1e9}, "timeout"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_token": 5}, "max_token"),
    ({"logprobs": True}, "logprobs"),
    ({"n": 2}, "n"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"task_type": 5}, "task_type"),
    ({"request_id": 5}, "request_id"),
    ({"request_id": ""}, "request_id"),
    ({"request_id": "x" * 256}, "request_id"),
    ({"request_id": "a\0"}, "request_id"),
    ({"timestamp": "now"}, "timestamp"),
    ({"traceparent": "00-" + 32 * "0" + "-00f067aa0ba902b7-01"}, "traceparent"),
    ({"traceparent": 7}, "traceparent"),
    ({"api_version": "v9"}, "unsupported_api_version"),
]


def test_what_makes_no_request_is_refused_by_name() -> None:
    wrong = []
    for changes, named in NO_REQUESTS:
        found: object = None
        try:
            found = call(**changes)
        except InvalidArguments as raised:
            refused = (raised.type, raised.request_id) == ("invalid_arguments", None)
            if refused and re.search(named, str(raised)):
                continue
            found = raised
        wrong.append((changes, named, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_task_type_decides_the_complexity() -> None:
    assert build_task("Code  Generation", QUESTION, {}).request.complexity == "complex"
    assert build_task("something", QUESTION, {}).request.complexity == "medium"
    assert build_task("qa", QUESTION, {"complexity": "simple"}).request.complexity == "simple"
    assert build_task("qa", QUESTION, {"timeout": 2}).request.timeout == 2
    with pytest.raises(InvalidArguments, match="timeout"):
        build_task("qa", QUESTION, {"timeout": "2"})


def test_true_is_no_timeout() -> None:
    with pytest.raises(InvalidArguments):
        checked_timeout(True)


def test_a_url_is_checked_and_never_quoted() -> None:
    assert checked_url(" ecto://u:p@h/d ") == "postgresql://u:p@h/d"
    with pytest.raises(InvalidArguments, match="postgresql://") as raised:
        checked_url("mysql://user:hidden@host/db")
    assert "hidden" not in str(raised.value)


def test_a_bad_configuration_is_reported_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    config = tmp_path / "nexus.toml"
    config.write_text("[queue]\nbatch_sise = 3\nmax_attempts = 0\n")
    with pytest.raises(InvalidArguments) as raised:
        LLMService(config=config)
    text = str(raised.value)
    assert "queue.batch_sise" in text
    assert "did you mean batch_size?" in text
    assert "queue.max_attempts" in text
    for absent in (tmp_path / "absent.toml", str(tmp_path / "absent.toml")):
        with pytest.raises(InvalidArguments, match="readable TOML file"):
            LLMService(config=absent)


def settings() -> Settings:
    found = parse_settings({}, {})
    assert isinstance(found, Settings)
    return found


def test_a_pool_has_a_connection() -> None:
    with pytest.raises(InvalidArguments, match="pool_size"):
        LLMService(settings(), pool_size=0)


async def test_outside_of_its_block_it_says_so() -> None:
    service = LLMService(settings())
    for operation in (
        service.call("simple", QUESTION),
        service.enqueue("chat", QUESTION),
        service.result("r"),
        service.result("r", timeout=1),
    ):
        with pytest.raises(RuntimeError, match="async with LLMService"):
            await operation
    with pytest.raises(RuntimeError, match="async with LLMService"):
        _ = service.queues


def test_what_needs_no_database_works_anywhere() -> None:
    service = LLMService(settings())
    assert service.determine_complexity_for_task("Web Search") == "simple"
    assert service.determine_complexity_for_task("unheard of", "complex") == "complex"
    assert service.determine_complexity_for_task(None) == "medium"
    assert service.get_available_models() == ("echo/echo",)
