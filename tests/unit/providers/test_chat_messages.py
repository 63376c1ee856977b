"""Messages and their parts in the form of chat completions."""

from typing import Any

import pytest

from nexus_actors.providers.apis.chat.dialect import Dialect
from nexus_actors.providers.apis.chat.presets import PRESETS
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes
from tests.unit.providers.chat_by_messages import call, outcome, sent
from tests.unit.providers.conversations import CALL, PNG, USER

MARK = {"type": "ephemeral"}
CACHING = Takes(cache_control=True)
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
PDF = "JVBERi0xLjQK"


def part(given: dict[str, Any], **more: Any) -> Any:
    """What becomes of one part of the user's."""
    other = {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}}
    [message] = sent({"role": "user", "content": [given, other]}, **more)
    return message["content"][0]


def asked_in(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(parts)}


# ---------------------------------------------------------------- text


def test_parts_that_are_text_alone_go_as_text() -> None:
    cases = [
        ([{"type": "text", "text": "a"}], "a"),
        ([{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}], "ab"),
        ([{"type": "output_text", "text": "a", "annotations": []}], "a"),
        ([{"type": "refusal", "refusal": "no"}], "no"),
        ([], ""),
    ]
    wrong = [
        (role, parts, text, found)
        for role in ["system", "user", "assistant"]
        for parts, text in cases
        if (found := sent({"role": role, "content": parts}, USER)[0]["content"]) != text
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_mark_for_caching_keeps_its_part_apart_where_it_is_honoured() -> None:
    long = {"type": "text", "text": "long", "cache_control": MARK}
    short = {"type": "text", "text": "short"}
    for role in ("system", "user", "assistant"):
        prepared = call(asked_in(role, long, short), USER, takes=CACHING)
        assert prepared.body["messages"][0]["content"] == [long, short]
        assert prepared.dropped == ()
        prepared = call(asked_in(role, long, short), USER)
        assert prepared.body["messages"][0]["content"] == "longshort"
        assert prepared.dropped == ("messages[0].content[0].cache_control",)


@pytest.mark.parametrize("kind", ["image", "file", "something_new"])
def test_no_mark_is_left_where_it_is_not_honoured(kind: str) -> None:
    forms = {
        "image": IMAGE,
        "file": {"type": "file", "file": {"file_id": "f"}},
        "something_new": {"type": "something_new", "x": 1},
    }
    marked = {**forms[kind], "cache_control": MARK}
    assert "cache_control" not in part(marked)
    assert part(marked, takes=CACHING)["cache_control"] == MARK


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "f"}, "cache_control": MARK},
        {"type": "function", "function": {"name": "f", "cache_control": MARK}},
        {"type": "function", "name": "f", "cache_control": MARK},
    ],
)
def test_marks_in_tools_are_reported(tool: dict[str, Any]) -> None:
    for takes in (Takes(), CACHING):
        prepared = call(USER, tools=(tool,), takes=takes)
        assert prepared.body["tools"] == [{"type": "function", "function": {"name": "f"}}]
        assert prepared.dropped == ("tools[0].cache_control",)


def test_thoughts_of_another_providers_are_reported() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    sealed = {"type": "redacted_thinking", "data": "x"}
    said = {"type": "text", "text": "A cat."}
    prepared = call(USER, asked_in("assistant", thought, sealed, said), USER)
    assert prepared.body["messages"][1] == {"role": "assistant", "content": "A cat."}
    assert [it.partition(":")[0] for it in prepared.dropped] == [
        "messages[1].content[0]",
        "messages[1].content[1]",
    ]


# ---------------------------------------------------------------- pictures, files, recordings


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (f"data:image/jpg;base64,{PNG}", f"data:image/jpeg;base64,{PNG}"),
        (f"data:IMAGE/PNG;base64,{PNG}", f"data:image/png;base64,{PNG}"),
        ("data:image/png;base64,QUI", "data:image/png;base64,QUI="),
        ("data:image/png;base64,QQ", "data:image/png;base64,QQ=="),
        ("data:image/png;base64,QU\nI=", "data:image/png;base64,QUI="),
        ("data:image/png;base64,_-8", "data:image/png;base64,/+8="),
        ("https://a.example/a.png", "https://a.example/a.png"),
    ],
)
def test_images_as_data_go_as_every_server_reads_them(given: str, url: str) -> None:
    for form in (
        {"type": "image_url", "image_url": {"url": given}},
        {"type": "input_image", "image_url": given},
        {"type": "image_url", "image_url": given},
    ):
        assert part(form) == {"type": "image_url", "image_url": {"url": url}}


def test_anthropics_own_forms_are_translated() -> None:
    image = {"type": "base64", "media_type": "image/png", "data": PNG}
    assert part({"type": "image", "source": image}) == IMAGE
    url = {"type": "url", "url": "https://a.example/a.png"}
    assert part({"type": "image", "source": url}) == {
        "type": "image_url",
        "image_url": {"url": url["url"]},
    }
    pdf = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert part({"type": "document", "source": pdf, "title": "a.pdf"}) == {
        "type": "file",
        "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"},
    }
    text = {"type": "text", "media_type": "text/plain", "data": "Once upon a time"}
    assert part({"type": "document", "source": text}) == {
        "type": "text",
        "text": "Once upon a time",
    }


@pytest.mark.parametrize(
    ("given", "mistral"),
    [
        (
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
            {"type": "input_audio", "input_audio": "QUJD"},
        ),
        (
            {
                "type": "file",
                "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"},
            },
            {
                "type": "document_url",
                "document_url": f"data:application/pdf;base64,{PDF}",
                "document_name": "a.pdf",
            },
        ),
        (
            {"type": "input_file", "file_url": "https://a.example/a.pdf"},
            {"type": "document_url", "document_url": "https://a.example/a.pdf"},
        ),
        ({"type": "input_file", "file_id": "f-1"}, {"type": "file", "file_id": "f-1"}),
    ],
)
def test_mistral_has_forms_of_its_own(given: dict[str, Any], mistral: dict[str, Any]) -> None:
    assert part(given, dialect=PRESETS["mistral"].dialect) == mistral


@pytest.mark.parametrize(
    ("title", "name"), [(None, "document.pdf"), ("Plan", "Plan.pdf"), ("a.pdf", "a.pdf")]
)
def test_a_document_has_a_name_with_a_suffix(title: Any, name: str) -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    given = {"type": "document", "source": source} | ({"title": title} if title else {})
    assert part(given)["file"]["filename"] == name


def test_a_file_by_url_is_refused_where_it_is_not_taken() -> None:
    given = {"type": "input_file", "file_url": "https://a.example/a.pdf"}
    found = outcome(asked_in("user", given), takes=Takes(file_urls=False))
    assert isinstance(found, ProviderFailure)
    assert "not by URL" in found.message
    assert part(given, dialect=PRESETS["openrouter"].dialect) == {
        "type": "file",
        "file": {"file_data": "https://a.example/a.pdf"},
    }


def test_a_recording_goes_as_it_came() -> None:
    given = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}}
    assert part(given) == given


def test_content_that_is_not_taken_is_refused() -> None:
    cases = [
        (Takes(images=False), IMAGE),
        (Takes(images=False), {"type": "input_image", "image_url": "https://a.example/a.png"}),
        (Takes(image_urls=False), {"type": "input_image", "image_url": "https://a.example/a.png"}),
        (
            Takes(image_urls=False),
            {"type": "image", "source": {"type": "url", "url": "https://a.example"}},
        ),
        (Takes(), {"type": "input_image", "file_id": "file-1"}),
        (Takes(files=False), {"type": "input_file", "file_url": "https://a.example/a.pdf"}),
        (Takes(files=False), {"type": "file", "file": {"file_id": "f"}}),
        (
            Takes(audio=False),
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
        ),
    ]
    wrong = []
    for takes, given in cases:
        failure = outcome(
            {"role": "user", "content": [{"type": "text", "text": "?"}, given]}, takes=takes
        )
        if not (
            isinstance(failure, ProviderFailure)
            and (failure.type, failure.scope, failure.retryable)
            == (
                "request_rejected",
                "request",
                False,
            )
            and failure.message.startswith("messages[0].content[1]: ")
        ):
            wrong.append((takes, given, failure))
    assert not wrong, "\n".join(map(repr, wrong))


def test_an_image_as_data_is_taken_where_urls_are_not() -> None:
    assert sent(asked_in("user", IMAGE), takes=Takes(image_urls=False))[0]["content"] == [IMAGE]


# ---------------------------------------------------------------- results of tools

CALLS = {
    "role": "assistant",
    "content": "",
    "tool_calls": [CALL, {**CALL, "id": "call_2"}],
}


def result(call_id: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": list(parts)}


def test_a_picture_in_a_result_goes_into_a_turn_of_the_users_after_all_results() -> None:
    text = {"type": "text", "text": "Here:"}
    prepared = call(USER, CALLS, result("call_1", text, IMAGE), result("call_2", text), USER)
    roles = [message["role"] for message in prepared.body["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user", "user"]
    assert [it["content"] for it in prepared.body["messages"][2:4]] == ["Here:", "Here:"]
    assert prepared.body["messages"][4]["content"][1:] == [IMAGE]
    assert "call_1" in prepared.body["messages"][4]["content"][0]["text"]
    assert prepared.dropped == ("messages[2].content[1]: moved into a user turn",)


def test_pictures_of_several_results_go_together_each_with_its_call() -> None:
    prepared = call(USER, CALLS, result("call_1", IMAGE), result("call_2", IMAGE, IMAGE))
    [*_, last] = prepared.body["messages"]
    kinds = [it["type"] for it in last["content"]]
    assert kinds == ["text", "image_url", "text", "image_url", "image_url"]
    assert all(it["content"] for it in prepared.body["messages"][2:4])
    assert len(prepared.dropped) == 3


def test_a_picture_in_a_result_is_refused_where_there_are_no_pictures() -> None:
    failure = outcome(USER, CALLS, result("call_1", IMAGE), takes=Takes(images=False))
    assert isinstance(failure, ProviderFailure)


def test_text_in_a_result_is_plain() -> None:
    text = {"type": "text", "text": "sun"}
    assert sent(USER, CALLS, result("call_1", text, text))[2] == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": "sunsun",
    }


# ---------------------------------------------------------------- the last message; names

BEGUN = {"role": "assistant", "content": "It is a "}


def test_an_answer_begun_goes_as_the_server_has_it() -> None:
    assert sent(USER, BEGUN)[-1] == BEGUN
    assert sent(USER, BEGUN, dialect=Dialect(prefix=True))[-1] == {**BEGUN, "prefix": True}
    assert sent(USER, BEGUN, USER, dialect=Dialect(prefix=True))[1] == BEGUN


def test_an_answer_begun_is_gone_on_with_otherwise_where_it_is_not_taken() -> None:
    prepared = call(USER, BEGUN, takes=Takes(prefill=False))
    assert prepared.body["messages"][:2] == [USER, BEGUN]
    assert prepared.body["messages"][2]["role"] == "user"
    assert [it.partition(":")[0] for it in prepared.dropped] == ["messages[1]"]
    assert call(USER, BEGUN, USER, takes=Takes(prefill=False)).dropped == ()


@pytest.mark.parametrize(
    ("names", "kept"), [(frozenset[str](), []), (frozenset({"user"}), ["user"])]
)
def test_names_go_where_they_are_taken(names: frozenset[str], kept: list[str]) -> None:
    messages = [
        {"role": role, "content": "x", "name": "n"} for role in ("system", "assistant", "user")
    ]
    prepared = call(*messages, dialect=Dialect(names=names))
    assert [it["role"] for it in prepared.body["messages"] if "name" in it] == kept
    assert len(prepared.dropped) == 3 - len(kept)


@pytest.mark.parametrize(
    ("before", "count"),
    [((), 1), ((), 2), ((USER,), 1), ((USER, {"role": "assistant", "content": "Yes."}), 2)],
)
def test_where_the_last_may_not_be_the_systems_its_words_are_asked_as_the_users(
    before: tuple[dict[str, Any], ...], count: int
) -> None:
    system = [{"role": "system", "content": f"Say {number}."} for number in range(count)]
    messages = (*before, *system)
    made = call(*messages, dialect=PRESETS["mistral"].dialect)
    asked = [{"role": "user", "content": it["content"]} for it in system]
    assert made.body["messages"][len(before) :] == asked
    assert made.dropped == ("messages: the system's words are asked as the user's",)
    assert sent(*messages) == list(messages)
    first = sent(*system, USER, dialect=PRESETS["mistral"].dialect)
    assert first == [*system, USER]


@pytest.mark.parametrize("before", [(), (USER,)])
def test_a_system_message_at_the_end_is_asked_as_the_users_where_it_must_be(before: Any) -> None:
    last = {"role": "system", "content": "Say hello."}
    prepared = call(*before, last, dialect=PRESETS["mistral"].dialect)
    assert prepared.body["messages"][-1] == {"role": "user", "content": "Say hello."}
    assert [it.partition(":")[0] for it in prepared.dropped] == ["messages"]
    assert call(*before, last).body["messages"][-1] == last


@pytest.mark.parametrize(("asked", "most"), [(1.5, 1.5), (2.0, 1.5), (0.0, 0.0)])
def test_a_temperature_is_the_most_that_is_taken(asked: float, most: float) -> None:
    prepared = call(USER, temperature=asked, takes=Takes(most_temperature=1.5))
    assert prepared.body["temperature"] == most
    assert len(prepared.dropped) == (asked > most)
