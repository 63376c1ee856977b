"""The table of names says what the installed semantic conventions say."""

from importlib import import_module
from typing import Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GenAiOperationNameValues,
    GenAiProviderNameValues,
)
from opentelemetry.semconv.attributes.error_attributes import ErrorTypeValues
from opentelemetry.semconv.schemas import Schemas

from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.kinds import kind_names
from nexus_actors.tracing import conventions

NAMES = {
    constant: value
    for constant, value in vars(conventions).items()
    if constant.isupper() and isinstance(value, str) and "." in value and "/" not in value
} | {"ERROR_TYPE": conventions.ERROR_TYPE}
NAMES.pop("VERSION")


def installed(attribute: str) -> Any:
    """The constant of the package, of whichever of its modules has it."""
    area, constant = attribute.split(".", maxsplit=1)[0], attribute.upper().replace(".", "_")
    module = import_module(f"opentelemetry.semconv._incubating.attributes.{area}_attributes")
    found = getattr(module, constant, None)
    if found is None:  # what is stable has moved to a place of its own
        module = import_module(f"opentelemetry.semconv.attributes.{area}_attributes")
        found = getattr(module, constant, None)
    return found


def test_a_name_is_that_of_the_conventions_or_ours() -> None:
    theirs = {name: value for name, value in NAMES.items() if not value.startswith("nexus.")}
    assert len(theirs) > 20
    assert {
        value.upper().replace(".", "_"): installed(value) for value in theirs.values()
    } == theirs


def test_the_version_is_the_installed_one() -> None:
    """A newer package: read what it has changed, then change `VERSION`."""
    assert list(Schemas)[-1].value == conventions.SCHEMA_URL


def test_the_values_are_those_of_the_conventions() -> None:
    known = {it.value for it in GenAiProviderNameValues}
    assert set(conventions.PROVIDER_NAMES.values()) <= known
    assert set(conventions.PROVIDER_NAMES) <= {*kind_names(), *PRESETS}
    assert GenAiOperationNameValues.CHAT.value == conventions.CHAT
    assert ErrorTypeValues.OTHER.value == conventions.OTHER
