"""One trace from a producer's `traceparent` to its result, as a collector gets it."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from nexus_actors.tracing import conventions as name
from tests.collector import Collector, Received, running_collector
from tests.http_server import Reply, scripted_server
from tests.service import Service, request, running_service

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
CONSUMER, CLIENT = 5, 3


async def send(service: Service, sent: dict[str, Any], traceparent: str | None) -> None:
    """As an Elixir producer does it."""
    headers = None if traceparent is None else json.dumps({"traceparent": traceparent})
    await service.sql.rows(
        "SELECT pgmq.send('ai_requests', $1::text::jsonb, $2::text::jsonb, 0)",
        json.dumps(sent),
        headers,
    )


def in_order(spans: list[Received]) -> bool:
    return all(one.end <= other.start for one, other in pairwise(spans))


async def test_a_request_is_one_trace_from_its_producer_to_its_result(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=a-secret")
    busy = Reply(status=503, body={"error": {"message": "busy, said the provider"}})
    later = Reply(status=429, body={"error": {"message": "later"}})
    script = {"fails-once": [busy, Reply()], "throttles-once": [later, Reply()]}
    with running_collector() as collector:
        async with scripted_server(script) as server:
            one = {"kind": "openai_compatible", "base_url": f"{server.url}/v1", "preset": "groq"}
            async with running_service(
                database_url,
                tmp_path,
                tracing={"endpoint": collector.url, "attributes": {"team": "a"}},
                providers={"one": {**one, "api_key_env": []}},
                routes=[{"model": "*", "complexity": "*", "task_type": "*", "models": ["one/*"]}],
            ) as service:
                for model in script:
                    await send(service, request(model, model=model, max_tokens=9), SAMPLED)
                await send(service, request("unsampled", model="m"), UNSAMPLED)
                await send(service, request("derived", model="m"), None)
                await send(service, request("field", model="m", traceparent=SAMPLED), "00-bad")
                await service.stored(5)
                rows = await service.sql.rows(
                    "SELECT request_id AS id, r.traceparent AS journal,"
                    " output ->> 'traceparent' AS stored FROM nexus.requests AS r"
                    " JOIN job_results ON request_id = output ->> 'request_id'"
                )
                filed = {it["request_id"]: it for it in await service.sql.results()}
    stored = {row["id"].removeprefix("request-"): row["stored"] for row in rows}
    assert {row["id"]: row["stored"] for row in rows} == {
        key: it["traceparent"] for key, it in filed.items()
    }

    # A failed call that is repeated: two attempts in one lease, the result names the lease.
    [lease] = of_request(collector, "fails-once")
    assert (lease.trace_id, lease.parent_id, lease.kind) == (TRACE, PARENT, CONSUMER)
    assert stored["fails-once"] == f"00-{TRACE}-{lease.span_id}-01"
    children = collector.children(lease.span_id)
    assert [it.name for it in children] == ["wait", "route", *["chat fails-once"] * 2, "publish"]
    assert in_order(children)
    assert children[0].start == lease.start
    assert children[-1].end == lease.end
    failed, answered = children[2:4]
    assert (failed.kind, failed.is_error, answered.is_error) == (CLIENT, True, False)
    assert failed.attributes == {
        name.GEN_AI_OPERATION_NAME: "chat",
        name.GEN_AI_PROVIDER_NAME: "groq",
        name.GEN_AI_REQUEST_MODEL: "fails-once",
        name.GEN_AI_REQUEST_MAX_TOKENS: 9,
        name.SERVER_ADDRESS: "127.0.0.1",
        name.SERVER_PORT: int(server.url.rpartition(":")[2]),
        name.HTTP_RESPONSE_STATUS_CODE: 503,
        name.ERROR_TYPE: "provider_error",
        name.PROVIDER: "one",
        name.ATTEMPT_NUMBER: 1,
    }
    assert answered.attributes[name.GEN_AI_RESPONSE_MODEL] == "fails-once"
    assert answered.attributes[name.GEN_AI_USAGE_INPUT_TOKENS] > 0
    assert answered.attributes[name.GEN_AI_RESPONSE_FINISH_REASONS] == ["stop"]
    assert lease.attributes[name.OUTCOME] == "ok"
    assert lease.attributes[name.MESSAGING_DESTINATION_NAME] == "ai_requests"
    assert lease.resource["service.name"] == "nexus"
    assert lease.resource["team"] == "a"
    assert lease.schema_url == name.SCHEMA_URL

    # One that was told "later": two leases, one after the other, in one trace.
    first, second = of_request(collector, "throttles-once")
    assert first.trace_id == second.trace_id == TRACE
    assert first.parent_id == second.parent_id == PARENT
    assert first.attributes[name.OUTCOME] == "given_back"
    assert first.attributes[name.WAIT_REASON] == "throttled"
    assert [it.name for it in collector.children(first.span_id)][-1] == "chat throttles-once"
    waited = collector.children(second.span_id)[0]
    assert (waited.name, waited.attributes) == ("wait", {name.WAIT_REASON: "throttled"})
    assert waited.start >= collector.children(first.span_id)[-1].end
    assert stored["throttles-once"] == f"00-{TRACE}-{second.span_id}-01"

    # What its producer does not trace is not traced, and what came with it goes on unchanged.
    assert of_request(collector, "unsampled") == []
    assert stored["unsampled"] == UNSAMPLED
    # What comes without a trace has one from here on.
    [derived] = of_request(collector, "derived")
    assert derived.parent_id == ""
    assert stored["derived"] == f"00-{derived.trace_id}-{derived.span_id}-01"
    # Where the headers have no valid one, a field of the request counts.
    [by_field] = of_request(collector, "field")
    assert (by_field.trace_id, by_field.parent_id) == (TRACE, PARENT)
    journal = {row["id"]: row["journal"] for row in rows}
    assert journal["request-fails-once"] == SAMPLED
    assert journal["request-field"] == stored["field"] == f"00-{TRACE}-{by_field.span_id}-01"

    # Secrets go to the collector, and words of others to nobody.
    assert {path for path, _ in collector.requests} == {"/v1/traces"}
    assert {headers["x-token"] for _, headers in collector.requests} == {"a-secret"}
    sent = b"".join(collector.bodies)
    for word in (b"said the provider", b"later", b"message fails-once", b"a-secret"):
        assert word not in sent
    assert len({it.span_id for it in collector.spans}) == len(collector.spans)


def of_request(collector: Collector, number: str) -> list[Received]:
    """The leases of a request, in their order."""
    leases = collector.named("process ai_requests")
    return [it for it in leases if it.attributes[name.REQUEST_ID] == f"request-{number}"]
