"""What docstrings become on the site."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[3] / "docs" / "_ext" / "plain_docstrings.py"


def as_rest(text: str) -> str:
    spec = importlib.util.spec_from_file_location("plain_docstrings", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[[list[str]], list[str]] = module.as_rest
    return "\n".join(made(text.splitlines()))


CODE = "Count.\n\n    counter.add(1)\n\n    counter.add(2)\n\nThat is all."
INTRODUCED = "Count::\n\n    counter.add(1)\n\nThat is all."
FIELDS = "A child.\n\nid: its name.\nshutdown: seconds,\n    or none.\ntype: which kind."
LISTED = FIELDS.replace("id:", "- ``id``:").replace("shutdown:", "- ``shutdown``:")
LISTED = LISTED.replace("    or", "  or").replace("type:", "- ``type``:")


def test_an_indented_block_is_code_to_its_end() -> None:
    assert as_rest(CODE) == CODE.replace(
        "    counter.add(1)", ".. code-block:: python\n\n    counter.add(1)"
    )


@pytest.mark.parametrize(
    "text", [INTRODUCED, "One: two.\nThree.", "- a: b\n- c: d", "", "One.\n\nTwo."]
)
def test_all_else_stays_as_it_is(text: str) -> None:
    assert as_rest(text) == text


def test_what_each_name_means_is_a_list() -> None:
    assert as_rest(FIELDS) == LISTED
