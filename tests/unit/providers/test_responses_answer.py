"""Answers of the Responses API: those the official client can read, and those that leave out."""

import json
from typing import Any, get_args

import pytest

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.responses.answer import read_response
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.port import ProviderFailure
from tests.unit.providers.sdk_answers import (
    CALL,
    CHAT_CALL,
    refusal,
    response,
    responses,
    text,
)


def good(value: Any) -> Reading:
    reading = read_response(value)
    assert isinstance(reading, Reading), reading
    return reading


def bad(value: Any) -> ProviderFailure:
    failure = read_response(value)
    assert isinstance(failure, ProviderFailure), failure
    return failure


def test_reads_a_whole_answer() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    assert good(response(reasoning, text("Hel", "lo."))) == Reading(
        response="Hello.",
        usage=Usage(20, 9, 29, 8, 5),
        finish_reason="stop",
        native_finish_reason="completed",
        response_id="resp_1",
        served_model="gpt-5-2025-08-07",
        cache_write_tokens=4,
    )


def test_a_refusal_is_the_text_where_there_is_no_other() -> None:
    assert good(response(refusal("I cannot."))).response == "I cannot."
    assert good(response(text("But "), refusal("I cannot."))).response == "But "


def test_calls_are_reported_in_the_chat_apis_form() -> None:
    reading = good(response(CALL))
    assert (reading.response, reading.tool_calls) == (None, (CHAT_CALL,))
    assert (reading.finish_reason, reading.native_finish_reason) == ("tool_calls", "completed")
    both = good(response(text("Let me see."), CALL, {**CALL, "call_id": "call_2"}))
    assert both.response == "Let me see."
    assert [call["id"] for call in both.tool_calls] == ["call_1", "call_2"]


def test_what_else_the_caller_is_to_do_is_a_call_too() -> None:
    custom = {
        "type": "custom_tool_call",
        "id": "ctc_1",
        "call_id": "call_3",
        "name": "shout",
        "input": "ho",
    }
    approval = {
        "type": "mcp_approval_request",
        "id": "mcpr_1",
        "name": "delete",
        "server_label": "files",
        "arguments": "{}",
    }
    patch = {
        "type": "apply_patch_call",
        "id": "ap_1",
        "call_id": "call_4",
        "status": "completed",
        "operation": {"type": "delete_file", "path": "a"},
    }
    reading = good(response(custom, approval, patch))
    assert [call["id"] for call in reading.tool_calls] == ["call_3", "mcpr_1", "call_4"]
    assert reading.tool_calls[0]["custom"] == {"name": "shout", "input": "ho"}
    assert reading.tool_calls[1]["mcp_approval_request"]["name"] == "delete"
    assert reading.tool_calls[2]["apply_patch_call"]["operation"]["path"] == "a"


def test_what_the_provider_did_itself_is_not_told() -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    shell = {"type": "shell_call", "id": "sh_1", "call_id": "c1", "status": "completed"}
    answered = {"type": "shell_call_output", "id": "so_1", "call_id": "c1", "output": []}
    value = {**response(text("done")), "output": [search, shell, answered, text("done")]}
    reading = good(value)
    assert (reading.response, reading.tool_calls, reading.finish_reason) == ("done", (), "stop")


@pytest.mark.parametrize(
    ("reason", "finish", "native"),
    [
        ({"reason": "max_output_tokens"}, "length", "max_output_tokens"),
        ({"reason": "content_filter"}, "content_filter", "content_filter"),
        ({"reason": "steered"}, "steered", "steered"),
        (None, "incomplete", "incomplete"),
    ],
)
def test_an_incomplete_answer_is_one_with_its_reason(reason: Any, finish: str, native: str) -> None:
    value = response(text("Once upon"), status="incomplete", incomplete_details=reason)
    reading = good(value)
    assert reading.response == "Once upon"
    assert (reading.finish_reason, reading.native_finish_reason) == (finish, native)


def test_an_answer_without_anything_is_empty_text() -> None:
    spent = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert good(response(**spent)).response == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"output": [{"content": [{"type": "output_text", "text": "x"}]}]}, Reading(response="x")),
        ({"output": []}, Reading(response="")),
        (
            {"output": [None, {"type": 7}, {"type": "message", "content": "x"}], "usage": 7},
            Reading(response=""),
        ),
        (
            {
                "status": "completed",
                "output": [{"type": "function_call", "id": "f", "name": "now", "arguments": None}],
                "usage": {"input_tokens": 3, "output_tokens": 4},
            },
            Reading(
                response=None,
                usage=Usage(3, 4, 7),
                finish_reason="tool_calls",
                native_finish_reason="completed",
                tool_calls=(
                    {
                        "id": "f",
                        "type": "function",
                        "function": {"name": "now", "arguments": "{}"},
                    },
                ),
            ),
        ),
    ],
)
def test_reads_what_servers_leave_of_it(value: Any, expected: Reading) -> None:
    assert good(value) == expected


def test_a_failed_response_is_a_failure_maybe_paid() -> None:
    error = {"code": "server_error", "message": "sorry"}
    failure = bad(response(status="failed", error=error))
    assert (failure.type, failure.retryable, failure.maybe_paid) == ("provider_error", True, True)
    assert failure.message == "error in a 200 answer: sorry"
    assert bad({"status": "failed"}).type == "provider_error"


def test_every_code_of_the_official_client_is_told_apart() -> None:
    codes = get_args(responses.ResponseError.model_fields["code"].annotation)
    assert len(codes) > 10
    for code in codes:
        failure = bad(response(status="failed", error={"code": code, "message": "no"}))
        if code in ("server_error", "vector_store_timeout"):
            expected = ("provider_error", True)
        elif code == "rate_limit_exceeded":
            expected = ("rate_limited", True)
        elif code.endswith(("_policy", "_violation")):
            expected = ("content_filtered", False)
        else:
            expected = ("request_rejected", False)
        assert (failure.type, failure.retryable) == expected, code


@pytest.mark.parametrize("error", ["broken", {"code": 503}, {"type": "overloaded"}])
def test_an_error_of_another_kind_is_the_providers_own(error: Any) -> None:
    failure = bad({"error": error})
    assert (failure.type, failure.retryable) == ("provider_error", True)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"output": None},
        {"output": "text"},
        response(status="in_progress"),
        response(status="queued"),
        response(status="cancelled"),
    ],
)
def test_what_is_no_answer_is_worth_another_try_and_maybe_paid(value: Any) -> None:
    failure = bad(value)
    assert (failure.type, failure.retryable, failure.maybe_paid) == ("invalid_response", True, True)


def test_arguments_leave_as_json_text() -> None:
    cases = ["", "  ", None, "{}", '{"city": "Oslo"}', {"city": "Oslo"}, {}, "[]"]
    wrong = []
    for arguments in cases:
        value = {"status": "completed", "output": [{**CALL, "arguments": arguments}]}
        [call] = good(value).tool_calls
        sent = call["function"]["arguments"]
        expected = json.loads(arguments) if isinstance(arguments, str) and arguments.strip() else {}
        found = json.loads(sent)
        due = arguments if isinstance(arguments, dict) else expected
        if found != due:
            wrong.append((arguments, found, due))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    "arguments", ['{"city": "Os', "no JSON", '{"x": NaN}', "[" * 100_000, '{"a": 1} and']
)
def test_arguments_that_are_no_json_never_leave_as_a_call(arguments: str) -> None:
    broken = {**CALL, "call_id": "call_2", "arguments": arguments}
    reading = good({**response(text("Hm.")), "output": [text("Hm."), CALL, broken]})
    assert reading.fault is not None
    assert "arguments" in reading.fault
    assert reading.usage == Usage(20, 9, 29, 8, 5)  # it is paid all the same
    cut = good(
        {
            **response(text("Hm.")),
            "output": [text("Hm."), CALL, broken],
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
        }
    )
    assert (cut.response, cut.finish_reason, cut.fault) == ("Hm.", "length", None)
    assert cut.tool_calls == (CHAT_CALL,)
    assert [it.partition(":")[0] for it in cut.dropped] == ["tool_calls"]


def test_calls_without_a_status_are_the_reason_to_end() -> None:
    assert good({"output": [CALL]}).finish_reason == "tool_calls"


def test_what_the_providers_own_tools_cost_by_the_call_is_counted() -> None:
    def search(kind: str, **more: Any) -> dict[str, Any]:
        return {"type": "web_search_call", "id": "ws", "action": {"type": kind}, **more}

    code = {"type": "code_interpreter_call", "id": "ci", "container_id": "c1"}
    value = {
        "output": [
            search("search", status="completed"),
            search("search", status="failed"),
            search("open_page"),
            {"type": "web_search_call", "id": "ws"},
            {"type": "file_search_call", "id": "fs"},
            code,
            code,
            {**code, "container_id": "c2"},
            {"type": "image_generation_call", "id": "ig"},
        ]
    }
    assert good(value).hosted_calls == {
        "web_search": 2,
        "file_search": 1,
        "code_interpreter": 2,
        "image_generation": 1,
    }
    assert good({"output": [text("x")]}).hosted_calls == {}


def test_what_is_not_known_to_be_free_is_counted() -> None:
    cases = [
        ([{"type": "x_search_call", "id": "x"}], {"x_search": 1}),
        ([{"type": "something_new_call", "id": "x"}], {"something_new": 1}),
        ([{"type": "something_new", "id": "x"}] * 2, {"something_new": 2}),
        # a shell of the provider's own, which it answered itself, against one of the caller's
        (
            [
                {"type": "shell_call", "call_id": "c"},
                {"type": "shell_call_output", "call_id": "c"},
            ],
            {"shell": 1},
        ),
        ([{"type": "shell_call", "call_id": "c"}], {}),
        ([CALL], {}),
        ([{"type": "reasoning"}, {"type": "mcp_call"}, {"type": "mcp_list_tools"}], {}),
        ([{"type": "code_interpreter_call"}], {"code_interpreter": 1}),
        ([{"type": "code_interpreter_call", "container_id": {"a": []}}], {"code_interpreter": 1}),
        ([{"type": 7}, {"type": None}, {"type": ["x"]}], {}),
    ]
    wrong = [
        (items, counted, found)
        for items, counted in cases
        if (found := good({"output": items}).hosted_calls) != counted
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost": 0.25}, 0.25),
        ({"cost": 0}, 0.0),
        ({"cost": 0.25, "is_byok": True, "cost_details": {"upstream_inference_cost": 1.0}}, 1.25),
        ({"cost_in_usd_ticks": 5_000_000_000}, 0.5),
        ({"cost": "0.25"}, None),
        ({}, None),
    ],
)
def test_what_the_server_says_it_cost_is_reported(usage: Any, cost: float | None) -> None:
    assert good({"output": [text("x")], "usage": usage}).reported_cost == cost


def test_the_tier_of_the_answer() -> None:
    cases = [
        ("flex", "flex"),
        ("priority", "priority"),
        ("batch", "batch"),
        ("ultrafast", "ultrafast"),
        ("default", None),
        ("auto", None),
        ("", None),
        (None, None),
        (7, None),
    ]
    wrong = [
        (told, tier, found)
        for told, tier in cases
        if (found := good({"output": [text("x")], "service_tier": told}).service_tier) != tier
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens_details": {"cached_tokens": 8}},
        {"cached_tokens": 8},
        {"prompt_cache_hit_tokens": 8},
    ],
)
def test_cached_tokens_in_all_spellings(usage: dict[str, Any]) -> None:
    reading = good({"output": [text("x")], "usage": {"input_tokens": 20, **usage}})
    assert reading.usage is not None
    assert reading.usage.cached_tokens == 8


def test_written_and_heard_tokens() -> None:
    usage = {
        "input_tokens": 20,
        "output_tokens": 9,
        "input_tokens_details": {"audio_tokens": 3, "cache_write_tokens": 4},
        "output_tokens_details": {"audio_tokens": 2},
    }
    reading = good({"output": [text("x")], "usage": usage})
    assert (reading.audio_input_tokens, reading.audio_output_tokens) == (3, 2)
    assert reading.cache_write_tokens == 4
    assert good({"output": [text("x")], "usage": {"cache_write_tokens": 5}}).cache_write_tokens == 5
