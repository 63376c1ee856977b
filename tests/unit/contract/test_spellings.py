"""Fields with several names: those without any are not looked through."""

import re
from inspect import getsource

from nexus_actors.contract import spellings
from nexus_actors.contract.spellings import SPELT, Spelt, one_spelling
from nexus_actors.contract.wire import WireRequest


def test_every_field_that_is_looked_at_is_in_the_list_of_those() -> None:
    looked_at = set(re.findall(r"\bwire\.(\w+)", getsource(spellings)))
    assert looked_at - {"max_tokens", "model_fields_set"} == SPELT


def test_a_request_with_none_of_them_comes_to_the_same_on_the_shorter_way() -> None:
    plain = WireRequest(request_id="r", max_tokens=7)
    # One of the list, which says nothing: the longer way is taken.
    looked_through = WireRequest(request_id="r", max_tokens=7, tools=None)
    assert "tools" in looked_through.model_fields_set
    short, long = one_spelling(plain), one_spelling(looked_through)
    assert isinstance(short, Spelt)
    assert short == long
    assert short.fields["max_tokens"] == 7
