"""The fields that may be left out because a provider refused them."""

from msgspec.structs import fields

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.optional_fields import OPTIONAL_FIELDS, without_fields

REQUEST = LLMRequest(
    request_id="r",
    complexity="simple",
    messages=({"role": "user", "content": "Hello"},),
    temperature=0.7,
    include=("reasoning.encrypted_content",),
    stop=("END",),
)


def test_each_is_a_field_of_a_request_and_absent_by_default() -> None:
    defaults = {field.name: field.default for field in fields(LLMRequest)}
    assert {name: defaults[name] for name in OPTIONAL_FIELDS} == dict(OPTIONAL_FIELDS)


def test_what_is_left_out_is_reported_with_the_reason() -> None:
    left, told = without_fields(REQUEST, {"temperature": "refused", "include": "old", "top_p": "?"})
    assert (left.temperature, left.include, left.stop) == (None, (), ("END",))
    assert told == ("temperature: refused", "include: old")


def test_what_would_change_the_question_is_never_left_out() -> None:
    told = dict.fromkeys(("messages", "stop", "tools", "tool_choice", "store", "request_id"), "?")
    assert without_fields(REQUEST, told) == (REQUEST, ())
