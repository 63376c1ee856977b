"""Keys that no API has a place for, within messages, parts, calls and tools: told, each once."""

from typing import Any

from nexus_actors.contract.foreign import LONGEST_NAME, LONGEST_NOTE, MOST_NOTES, bounded_notes
from tests.unit.contract.test_decode import USER, accept, body
from tests.unit.contract.test_fields import LOOK, NESTED


def image(**more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "https://a.example/x"}, **more}


def test_keys_of_parts_without_a_place_are_reported_once() -> None:
    cases = [
        (
            [{"type": "text", "text": "x", "citations": [1], "annotations": []}],
            ["content.citations"],
        ),
        ([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}], []),
        ([{"type": "output_text", "text": "x", "annotations": [1]}] * 2, ["content.annotations"]),
        ([image(blur=1), image(detail="low")], ["content.blur"]),
        (
            [{"type": "image_url", "image_url": {"url": "https://a.example/", "blur": 1}}],
            ["content.image_url.blur"],
        ),
        (
            [{"type": "document", "source": {"type": "text", "data": "x", "y": 1}, "title": "t"}],
            ["content.source.y"],
        ),
        ([{"type": "file", "file": {"file_id": "x", "y": 1}, "z": None}], ["content.file.y"]),
        ([{"type": "video", "video": "x", "goes": "as it is"}], []),
    ]
    wrong = []
    for messages, told in cases:
        request = accept(body(messages=[{"role": "user", "content": messages}]))
        found = request.unknown
        expected = tuple(f"messages.{name}" for name in told)
        if found != expected:
            wrong.append((messages, told, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_keys_of_calls_without_a_place_are_reported_once() -> None:
    call = {"id": "c", "type": "function", "index": 0, "x y": 1}
    calls = [{**call, "function": {"name": "f", "arguments": "{}", "parsed": {"a": 1}}}] * 2
    request = accept(body(messages=[USER, {"role": "assistant", "tool_calls": calls}]))
    assert request.unknown == (
        "messages.tool_calls.x\ufffdy",
        "messages.tool_calls.function.parsed",
    )


def test_keys_of_system_blocks_and_choices_without_a_place_are_reported() -> None:
    system = [{"type": "text", "text": "x", "citations": [1], "cache_control": {"type": "x"}}]
    choice = {"type": "any", "disable_parallel_tool_use": True, "why": 1}
    request = accept(body(system=system, tools=[NESTED], tool_choice=choice))
    assert set(request.unknown) == {"system.citations", "tool_choice.why"}


def test_null_is_nothing_in_a_function() -> None:
    tool = {"type": None, "function": {**LOOK, "strict": None}, "x": None}
    hosted = {"type": "mcp", "server_label": None}
    assert accept(body(tools=[tool, hosted])).tools == ({"function": LOOK}, hosted)


def test_a_huge_key_costs_no_more_for_standing_everywhere() -> None:
    parts = [{"type": "text", "text": "x", "k" * 1_000_000 + end: 1} for end in "abb"]
    request = accept(body(messages=[{"role": "user", "content": parts}]))
    assert len(request.unknown) == 1
    assert len(request.unknown[0]) == LONGEST_NAME


def test_what_is_reported_is_on_one_line_once_and_bounded() -> None:
    assert bounded_notes(("seed", "seed", "a: b «c»")) == ("seed", "a: b «c»")
    (name,) = bounded_notes(["x\n\x1b[2J\x9b\u2028\u202e\ud800" + "y" * 1_000_000])
    assert len(name) == LONGEST_NOTE
    assert name.startswith("x\ufffd\ufffd[2J\ufffd\ufffd\ufffd\ufffdy")
    many = bounded_notes(f"f{number}" for number in range(MOST_NOTES + 7))
    assert (len(many), many[-1]) == (MOST_NOTES + 1, "… and 7 more")
    assert bounded_notes(many) == (*many[:-1], "… and 1 more")


def test_keys_of_a_choice_of_a_function_without_a_place_are_reported() -> None:
    choice = {"type": "function", "function": {"name": "look", "x": 1}, "y": 1}
    request = accept(body(tools=[NESTED], tool_choice=choice))
    assert set(request.unknown) == {"tool_choice.y", "tool_choice.function.x"}
    assert accept(body(tools=[NESTED], tool_choice="required")).unknown == ()
