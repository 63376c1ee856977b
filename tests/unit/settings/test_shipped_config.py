"""The shipped config documents the defaults, all of them, and changes none."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from nexus_actors.providers.kinds import kind_names, load_kind
from nexus_actors.providers.port import ProviderSettings
from nexus_actors.settings import (
    AdminSettings,
    DashboardSettings,
    DatabaseSettings,
    QueueSettings,
    ResultPollerSettings,
    RetentionSettings,
    SecuritySettings,
    ServiceSettings,
    Settings,
    SupervisionSettings,
    TracingSettings,
    load_settings,
    parse_settings,
)

SHIPPED = Path(__file__).parents[3] / "config" / "nexus.toml"
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY")


@pytest.mark.parametrize("keys", [(), KEYS[:1], KEYS], ids=["no key", "one key", "all keys"])
def test_loading_it_equals_the_built_in_defaults(keys: tuple[str, ...]) -> None:
    environ = dict.fromkeys(keys, "k")
    loaded = load_settings(SHIPPED, environ)
    assert isinstance(loaded, Settings), str(loaded)
    assert loaded == parse_settings({}, environ)


def _sections() -> dict[str, type[BaseModel]]:
    return {
        "service": ServiceSettings,
        "database": DatabaseSettings,
        "queue": QueueSettings,
        "result_poller": ResultPollerSettings,
        "admin": AdminSettings,
        "dashboard": DashboardSettings,
        "supervision": SupervisionSettings,
        "security": SecuritySettings,
        "retention": RetentionSettings,
        "tracing": TracingSettings,
    }


def test_every_setting_stands_in_it() -> None:
    assert len(_sections()) > 8
    wrong = []
    for name in list(_sections()):
        text = SHIPPED.read_text().partition(f"\n[{name}]\n")[2].partition("\n[")[0]
        keys = re.findall(r"^(?:# )?(\w+) =", text, re.MULTILINE)
        found = sorted(keys)
        expected = sorted(_sections()[name].model_fields)
        if found != expected:
            wrong.append((name, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("kind_name", kind_names())
def test_every_setting_of_every_kind_of_provider_stands_in_it(kind_name: str) -> None:
    kind = load_kind(kind_name)
    assert kind is not None
    blocks = re.split(r"^(?:# )?\[providers\.", SHIPPED.read_text(), flags=re.MULTILINE)[1:]
    keys = {
        key
        for block in blocks
        if f'kind = "{kind_name}"' in block
        for key in re.findall(r"^(?:# )?(\w+) =", block, re.MULTILINE)
    }
    common = ProviderSettings.model_fields.keys()
    assert kind.settings.model_fields.keys() - common <= keys


def test_what_every_provider_can_be_reported_stands_in_it() -> None:
    keys = set(re.findall(r"^(?:# )?(\w+) =", SHIPPED.read_text(), re.MULTILINE))
    assert ProviderSettings.model_fields.keys() <= keys
