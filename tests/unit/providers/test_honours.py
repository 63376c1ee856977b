"""What of a request a model must honour, and why one cannot."""

from typing import Any

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.honours import unhonoured, wanted
from nexus_actors.providers.takes import Takes

USER = {"role": "user", "content": "hi"}
BEGUN = {"role": "assistant", "content": "It is"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
NESTED = {"type": "function", "function": {"name": "f", "parameters": {}}}
FLAT = {"type": "function", "name": "f", "parameters": {}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
PNG = "data:image/png;base64,AAAA"
HTTP = "https://example.org/a.png"
NOTHING = Takes(
    stop=False,
    blank_stop=False,
    forced_tool_choice=False,
    tool_choice=False,
    prefill=False,
    outputs=(),
    images=False,
    image_urls=False,
    files=False,
    audio=False,
)


def request(**fields: Any) -> LLMRequest:
    asked = decode_request_of({"messages": [USER], **fields})
    assert isinstance(asked, LLMRequest), asked
    return asked


def decode_request_of(fields: dict[str, Any]) -> Any:
    import json

    return decode_request(json.dumps({"request_id": "r", "complexity": "simple", **fields}))


def part(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, fields]}]}


def begun(*messages: Any) -> dict[str, Any]:
    return {"messages": [USER, *messages]}


CHANGING = [
    ({"tools": [NESTED], "tool_choice": "required"}, "forced_tool_choice", "call a tool"),
    ({"tools": [FLAT], "tool_choice": "required"}, "forced_tool_choice", "call a tool"),
    ({"tools": [FLAT], "tool_choice": "required"}, "tool_choice", "no tool_choice"),
    (
        {
            "tools": [NESTED],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
        "forced_tool_choice",
        "call a tool",
    ),
    (
        {"tools": [FLAT], "tool_choice": {"type": "function", "name": "f"}},
        "forced_tool_choice",
        "call a tool",
    ),
    (begun(BEGUN), "prefill", "last message"),
    (
        begun({"role": "assistant", "content": [{"type": "text", "text": "{"}]}),
        "prefill",
        "last message",
    ),
    (begun({**BEGUN, "tool_calls": []}), "prefill", "last message"),
    (begun(BEGUN, {"role": "system", "content": "be brief"}), "prefill", "last message"),
    (begun(BEGUN, {"role": "developer", "content": "be brief"}), "prefill", "last message"),
    ({"stop": "END"}, "stop", "no stop"),
    ({"stop": ["\n"]}, "blank_stop", "white space"),
    ({"stop": ["END", " \t"]}, "blank_stop", "white space"),
    ({"response_format": SCHEMA}, "outputs", "json_schema"),
    ({"response_format": {"type": "json_object"}}, "outputs", "json_object"),
    (
        {"text": {"format": {"type": "json_schema", "name": "a", "schema": {}}}},
        "outputs",
        "json_schema",
    ),
    (part(type="image_url", image_url={"url": PNG}), "images", "no images"),
    (part(type="input_image", image_url=PNG), "images", "no images"),
    (part(type="image_url", image_url={"url": HTTP}), "image_urls", "not by URL"),
    (part(type="input_image", image_url=HTTP), "image_urls", "not by URL"),
    (
        part(type="image", source={"type": "url", "url": HTTP}),
        "image_urls",
        "not by URL",
    ),
    (part(type="file", file={"file_data": "AAAA"}), "files", "no files"),
    (part(type="input_file", file_url=HTTP), "files", "no files"),
    (part(type="input_file", file_url=HTTP), "file_urls", "not by URL"),
    (part(type="file", file={"file_url": HTTP}), "file_urls", "not by URL"),
    (part(type="document", source={"type": "url", "url": HTTP}), "file_urls", "not by URL"),
    (
        part(type="input_audio", input_audio={"data": "AAAA", "format": "wav"}),
        "audio",
        "no audio",
    ),
]


def test_what_would_change_the_question_must_be_honoured() -> None:
    wrong = []
    for fields, without, said in CHANGING:
        wants = wanted(request(**fields))
        takes = Takes.model_validate({without: () if without == "outputs" else False})
        found = (unhonoured(wants, Takes()), unhonoured(wants, takes))
        if found[0] is not None or said not in (found[1] or ""):
            wrong.append((fields, without, said, found))
    assert not wrong, "\n".join(map(repr, wrong))


LEFT_OUT = [
    {},
    {"temperature": 0.7, "top_p": 0.5, "seed": 1, "max_tokens": 4000},
    {"reasoning_effort": "none"},
    {"tools": [NESTED]},
    {"tools": [NESTED], "tool_choice": "auto"},
    {"tools": [NESTED], "tool_choice": "none"},
    {"tool_choice": "required"},
    {"tools": [{"type": "web_search"}], "tool_choice": "required"},
    {"stop": []},
    {"response_format": {"type": "text"}},
    begun(BEGUN, USER),
    begun({"role": "assistant", "content": " \n"}),
    begun({"role": "assistant", "content": "", "tool_calls": [CALL]}),
    begun({"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]}),
    begun(
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
    ),
    {"messages": [{"role": "system", "content": "be brief"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
]


def test_all_else_may_be_left_out_and_reported() -> None:
    wrong = [(fields, found) for fields in LEFT_OUT if (found := wanted(request(**fields)))]
    assert not wrong, "\n".join(map(repr, wrong))
    assert unhonoured(None, NOTHING) is None


def test_stop_sequences_are_counted() -> None:
    takes = Takes(most_stops=2)
    assert unhonoured(wanted(request(stop=["a", "b"])), takes) is None
    why = unhonoured(wanted(request(stop=["a", "b", "c"])), takes)
    assert why == "it takes 2 stop sequences at most, not 3"


def test_pictures_as_data_are_no_urls() -> None:
    takes = Takes(image_urls=False)
    for data in (PNG, "DATA:image/png;base64,AAAA"):
        wants = wanted(request(**part(type="image_url", image_url={"url": data})))
        assert unhonoured(wants, takes) is None


def test_media_are_looked_for_in_every_message() -> None:
    picture = {"type": "image_url", "image_url": {"url": PNG}}
    told = {"role": "tool", "tool_call_id": "c1", "content": [picture]}
    calls = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    wants = wanted(request(messages=[USER, calls, told, USER]))
    assert unhonoured(wants, Takes(images=False)) == "it takes no images"


def test_without_media_messages_are_not_looked_through() -> None:
    asked = request(**part(type="image_url", image_url={"url": PNG}))
    assert wanted(asked, media=False) is None
