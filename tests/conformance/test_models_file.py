"""`models.toml` kept honest: against the vendors' own packages, the price list, and itself.

LiteLLM's table is compared in `differential/`.
"""

import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, Final, get_args

import pytest
from genai_prices.data_snapshot import get_snapshot

from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.http.settings import HttpSettings
from nexus_actors.providers.kinds import kind_names, load_kind
from nexus_actors.providers.takes import EFFORTS, Takes, _family_name, model_takes, plain_name
from tests.lazy import Lazy

anthropic = Lazy("anthropic.types.model")
openai = Lazy("openai.types")

TEXT: Final = files("nexus_actors.providers").joinpath("models.toml").read_text(encoding="utf-8")
ENTRIES: Final[list[dict[str, Any]]] = tomllib.loads(TEXT)["model"]
SECTIONS: Final = re.split(r"^# -{10,} ", TEXT, flags=re.MULTILINE)[1:]
OPENAI: Final = ("openai/chat", "openai/responses")
LISTED: Final = {"gemini": "google", "xai": "x-ai"}
"""Our name of a server → the price list's, where they differ."""
ALIAS: Final = "the vendor's pages name it so"
FORM: Final = "a form of the name that clouds and gateways may make"
OTHERWISE: Final = "the packages have it by another name, or not yet"
RETIRED: Final = "the packages have forgotten it; clouds have not"
UNLISTED: Final[dict[str, str]] = {
    "*vision*": OTHERWISE,
    "allam*": OTHERWISE,
    "claude-fable-5-0": FORM,
    "claude-instant*": RETIRED,
    "claude-mythos-5-0": FORM,
    "claude-mythos-5-[!0-9]*": FORM,
    "claude-opus-4-[!0-9]*": FORM,
    "claude-sonnet-4-0-*": FORM,
    "claude-sonnet-4-[!0-9]*": FORM,
    "compound*": OTHERWISE,
    "deepseek-v4.1-flash*": OTHERWISE,
    "devstral-latest": ALIAS,
    "devstral-medium-latest": ALIAS,
    "gemini-4-hydrogen*": OTHERWISE,
    "gemini-exp-*": RETIRED,
    "gpt-1[0-9]*": "none yet: one of two digits is to be taken for the newest, as is gpt-7",
    "grok-4.1*": OTHERWISE,
    "learnlm-*": RETIRED,
    "mathstral*": RETIRED,
    "mistral-code-agent-*": OTHERWISE,
    "mistral-vibe-*": OTHERWISE,
}
"""Globs that match no model that a package knows → why they stand there all the same."""


def literals(type_: Any) -> set[str]:
    """The names in a union of literals."""
    found = {it for it in get_args(type_) if isinstance(it, str)}
    return found.union(*(literals(it) for it in get_args(type_) if not isinstance(it, str)))


@cache
def claudes() -> frozenset[str]:
    """The models that Anthropic's client knows."""
    return frozenset(literals(anthropic.Model))


@cache
def gpts() -> frozenset[str]:
    """The models that OpenAI's client knows."""
    return frozenset(literals(openai.ChatModel) | literals(openai.shared.ResponsesModel))


@cache
def servers() -> frozenset[str]:
    """What `at` may name."""
    kinds = {name for name in kind_names() if issubclass(_settings(name), HttpSettings)}
    return frozenset({*kinds, *OPENAI, *PRESETS})


def _settings(kind: str) -> type:
    found = load_kind(kind)
    assert found is not None
    return found.settings


@cache
def known(server: str) -> frozenset[str]:
    """Plain names of the models that a package knows at this server, or anywhere, if it has no list
    of its own."""
    name = server.partition("/")[0]
    listed = {it.id: it for it in get_snapshot().providers}
    there = listed.get(LISTED.get(name, name))
    providers = listed.values() if there is None else [there]
    models = [model for it in providers for model in it.models]
    names = {model.id for model in models}.union(*(_spellings(model.match) for model in models))
    for own, more in (("anthropic", claudes), ("openai", gpts)):
        if there is None or name == own:
            names |= more()
    plain = set(map(plain_name, names))
    return frozenset(plain.union(map(_family_name, plain)))


def _spellings(clause: Any) -> set[str]:
    """What the list takes for the model's name."""
    inner = [it for name in ("or_", "and_") for it in getattr(clause, name, ())]
    own = {getattr(clause, name, "") for name in ("equals", "starts_with")} - {""}
    return own.union(*map(_spellings, inner))


def entries() -> list[Any]:
    return [
        pytest.param(entry, id=f"{number}-{entry['names'][0]}")
        for number, entry in enumerate(ENTRIES)
    ]


def test_it_is_read() -> None:
    assert model_takes("openai_compatible", "no such model") == Takes()
    assert len(ENTRIES) > 3


@pytest.mark.parametrize("entry", entries())
def test_an_entry_says_something_of_servers_that_there_are(entry: dict[str, Any]) -> None:
    assert entry.keys() - {"names", "at"}
    assert set(entry.get("at", ())) <= servers()
    assert entry["names"]
    assert entry["names"] == [glob.lower() for glob in entry["names"]]


@pytest.mark.parametrize("entry", entries())
def test_each_glob_matches_a_model_that_a_package_knows(entry: dict[str, Any]) -> None:
    assert _unmatched(entry) - UNLISTED.keys() == set()


def _unmatched(entry: Mapping[str, Any]) -> set[str]:
    names = frozenset().union(*map(known, entry.get("at", ("anywhere",))))
    globs: list[str] = entry["names"]
    return {glob for glob in globs if not any(fnmatchcase(name, glob) for name in names)}


def test_what_is_said_to_be_unlisted_is() -> None:
    assert UNLISTED.keys() == set().union(*map(_unmatched, ENTRIES))


def test_each_section_names_the_vendors_pages() -> None:
    assert len(SECTIONS) >= 4
    for section in SECTIONS:
        assert re.search(r"^# .*https://\S+", section, re.MULTILINE), section[:60]


def test_every_claude_has_a_limit_of_its_own() -> None:
    most = {model: model_takes("anthropic", model).max_output_tokens for model in claudes()}
    assert len(most) > 10
    assert {model for model, tokens in most.items() if tokens is None or tokens < 4096} == set()


@pytest.mark.parametrize("server", OPENAI)
def test_what_thinks_takes_the_newer_limit_and_no_stop(server: str) -> None:
    takes = {model: model_takes(server, model) for model in gpts()}
    thinking = {model: it for model, it in takes.items() if re.match(r"o\d|gpt-[5-9]", model)}
    assert 10 < len(thinking) < len(takes)
    assert {model for model, it in thinking.items() if not _is_newer(it)} == set()
    others = takes.keys() - thinking.keys()
    assert {model for model in others if "none" in takes[model].efforts} == set()


def _is_newer(takes: Takes) -> bool:
    newer_limit = takes.limit == "max_completion_tokens"
    return newer_limit and (takes.samplers != "both" or not takes.efforts) and not takes.stop


@pytest.mark.parametrize("provider", ["anthropic", "openai", "google"])
def test_no_answer_is_longer_than_the_window(provider: str) -> None:
    server = {"google": "gemini", "openai": "openai/responses"}.get(provider, provider)
    (listed,) = [it for it in get_snapshot().providers if it.id == provider]
    for model in listed.models:
        if re.search("tts|audio|realtime|live|image|transcribe|embedding", model.id):
            continue  # made for something else than conversations
        most = model_takes(server, model.id).max_output_tokens
        if most is not None and model.context_window is not None:
            assert most <= model.context_window, model.id


@pytest.mark.parametrize("entry", entries())
def test_efforts_stand_in_order_and_the_default_is_one_of_them(entry: dict[str, Any]) -> None:
    efforts = entry.get("efforts", [])
    assert efforts == [effort for effort in EFFORTS if effort in efforts]


FUTURE: Final = {
    "anthropic": ("claude-opus-6", "claude-sonnet-6-2-20280101", "claude-haiku-7", "claude-new-9"),
    "openai/chat": ("gpt-7", "gpt-7.1-sol", "gpt-10-mini", "ft:gpt-7-mini:acme::1"),
    "openai/responses": ("gpt-7", "gpt-7.1-sol", "gpt-10-mini", "o7", "o7-mini"),
    "gemini": ("gemini-5", "gemini-5-pro", "models/gemini-5.1-flash", "gemini-10-pro-preview"),
}
NEWEST: Final = {
    "anthropic": "claude-fable-5-2",
    "openai/chat": "gpt-6.2-sol",
    "openai/responses": "gpt-6.2-sol",
    "gemini": "gemini-4-pro",
}


@pytest.mark.parametrize(
    ("server", "model"), [(server, it) for server, models in FUTURE.items() for it in models]
)
def test_a_model_newer_than_the_file_is_taken_to_be_like_the_newest(
    server: str, model: str
) -> None:
    newest = "o4-mini" if model.startswith("o") else NEWEST[server]
    assert model_takes(server, model) == model_takes(server, newest)


@pytest.mark.parametrize(
    ("server", "model"), [(server, it) for server, models in FUTURE.items() for it in models]
)
def test_a_model_newer_than_the_file_is_sent_nothing_that_the_newest_refuse(
    server: str, model: str
) -> None:
    takes = model_takes(server, model)
    assert takes.samplers == "none" or (takes.samplers == "idle" and "none" not in takes.efforts)
    assert not takes.top_k
    assert not takes.penalties or server == "anthropic"
    assert takes.max_output_tokens is not None
    if server == "anthropic":
        assert not takes.prefill
        assert not takes.forced_tool_choice
        assert not takes.blank_stop
    elif server == "gemini":
        assert not takes.prefill
        assert takes.signatures
    else:
        assert not takes.stop


def test_a_model_of_nobody_is_sent_everything() -> None:
    for server in servers() - {"anthropic", "gemini", *OPENAI, "openai"}:
        takes = model_takes(server, "future-model-9")
        assert takes.samplers == "both" or server in PRESETS
