"""Checks of callers' arguments before anything is sent. All functions raise InvalidArguments."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nexus_actors.client.errors import InvalidArguments
from nexus_actors.contract.encode import Envelope, build_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.tasks import (
    COMPLEXITIES,
    TASK_COMPLEXITY,
    determine_complexity_for_task,
    normalize_task_type,
)
from nexus_actors.contract.trace import parse_traceparent
from nexus_actors.settings.database_url import bad_url
from nexus_actors.settings.load import load_settings
from nexus_actors.settings.mistakes import SettingsErrors
from nexus_actors.settings.model import Settings


def read_settings(config: str | Path | None) -> Settings:
    """The settings, found as the `nexus` command finds them."""
    match load_settings(None if config is None else Path(config), os.environ):
        case Settings() as settings:
            return settings
        case SettingsErrors() as errors:
            raise InvalidArguments(f"the configuration is not valid:\n{errors}")


def checked_url(url: str) -> str:
    """A PostgreSQL URL, also with Ecto's scheme. Errors do not quote it: it may hold a password."""
    url = url.strip()
    if url.startswith("ecto://"):
        url = "postgresql://" + url.removeprefix("ecto://")
    if expected := bad_url(url):
        raise InvalidArguments(f"url: expected {'; and '.join(expected)}")
    return url


def checked_timeout(timeout: object) -> float:
    """A finite number of seconds above 0."""
    match timeout:
        case int() | float() if timeout is not True and 0 < timeout < math.inf:
            return timeout
        case _:
            raise InvalidArguments("timeout: expected a finite number of seconds above 0")


def build_call(
    model_or_complexity: object,
    messages: Sequence[Mapping[str, Any]],
    *,
    timeout: float | None,
    options: Mapping[str, Any],
) -> Envelope:
    """The request of `LLMService.call`."""
    if not isinstance(model_or_complexity, str) or not model_or_complexity.strip():
        raise InvalidArguments("model_or_complexity: expected simple, medium, complex or a model")
    if options.get("complexity") is None:  # else it can only be a model
        _check_word(model_or_complexity)
    fields = dict(options)
    name = "complexity" if model_or_complexity in COMPLEXITIES else "model"
    if fields.setdefault(name, model_or_complexity) != model_or_complexity:
        raise InvalidArguments(f"{name}: given twice, and not the same")
    if fields.get("complexity") is None:
        fields["complexity"] = _complexity(fields.get("task_type"))
    return _build(messages, {**fields, "timeout": timeout})


def _check_word(word: str) -> None:
    """Refuse what is hardly meant as a model."""
    plain = normalize_task_type(word)
    if plain in COMPLEXITIES and word not in COMPLEXITIES:
        raise InvalidArguments(f'model_or_complexity: found "{word}"; did you mean {plain}?')
    if plain in TASK_COMPLEXITY:
        problem = f"a task type: expected {TASK_COMPLEXITY[plain]}, with task_type={plain!r}"
        raise InvalidArguments(f'model_or_complexity: "{word}" is {problem}')


def build_task(
    task_type: str, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
) -> Envelope:
    """The request of `LLMService.enqueue`."""
    fields = {"task_type": task_type, "complexity": _complexity(task_type), **options}
    return _build(messages, fields)


def _complexity(task_type: object) -> str | None:
    """The complexity of a task type. The request's own check rejects one that is not text."""
    if task_type is None or isinstance(task_type, str):
        return determine_complexity_for_task(task_type)
    return "medium"


def _build(messages: object, fields: Mapping[str, Any]) -> Envelope:
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        raise InvalidArguments("messages: expected a list of {role, content}")
    if not isinstance(fields.get("request_id", ""), str | None):
        raise InvalidArguments("request_id: expected text")
    if not isinstance(fields.get("timestamp"), datetime | None):
        raise InvalidArguments("timestamp: expected a datetime")
    if fields.get("timeout") is not None:
        checked_timeout(fields["timeout"])
    trace = fields.get("traceparent")
    if trace is not None and parse_traceparent(trace) is None:
        raise InvalidArguments("traceparent: expected a W3C traceparent of version 00")
    request = {name: value for name, value in fields.items() if name != "traceparent"}
    match build_request(messages, **request):
        case Envelope() as envelope:
            return replace(envelope, traceparent=trace)
        case Refusal(type=name, message=message):
            raise InvalidArguments(f"{name}: {message}")
