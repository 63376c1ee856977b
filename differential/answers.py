"""What each side makes of the same answers, whole and streamed."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from differential import (
    answers_chat,
    answers_gemini,
    answers_messages,
    answers_responses,
    official_readings,
    ours,
    theirs,
)
from differential.findings import Finding
from differential.models import BY_KEY, Model
from differential.normal import Difference, differences
from differential.readings import FAILED, Reading
from differential.server import Bench
from differential.sse import STREAMED, Served
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.result import Answer
from nexus_actors.providers.port import ProviderSession
from tests.http_server import Reply

_MODULES: Final = (answers_messages, answers_chat, answers_responses, answers_gemini)
_ASKED: Final = {"messages": [{"role": "user", "content": "How is the weather in Oslo?"}]}


def served(part: str) -> Mapping[str, Mapping[str, Served]]:
    """The answers, or the streams, by the model that gives them."""
    found: dict[str, dict[str, Served]] = {}
    for module in _MODULES:
        table = module.ANSWERS if part == "answers" else module.STREAMS
        for name, answer in table.items():
            found.setdefault(answer.model, {})[name] = answer
    return found


async def compare(part: str, model: Model, bench: Bench) -> AsyncIterator[Finding]:
    """Each of the model's, with LiteLLM and with the vendor's own client."""
    stream = part == "streams"
    async with ours.session(model, bench.url) as opened:
        for name, answer in served(part).get(model.key, {}).items():
            headers = {**(STREAMED if stream else {}), **answer.headers}
            reply = Reply(body=answer.body, headers=headers)
            mine, told = await _ours(opened, model, bench, reply, stream=stream)
            for against, read in (("litellm", theirs.read), ("sdk", official_readings.read)):
                bench.expect(reply)
                other = await _read(bench, read, model, stream=stream)
                found = compared(mine, other)
                yield Finding(part, model.vendor, model.key, name, against, found, told)


def compared(mine: Reading, other: Reading) -> tuple[Difference, ...]:
    """Where one of them is no answer, that is all there is to say."""
    if FAILED in (mine, other) and mine != other:
        return (Difference("failed", mine == FAILED, other == FAILED),)
    return tuple(differences(mine, other))


async def _ours(
    opened: ProviderSession, model: Model, bench: Bench, reply: Reply, *, stream: bool
) -> tuple[Reading, tuple[str, ...]]:
    bench.expect(reply)
    asked = ours.request(model, _ASKED)
    assert not isinstance(asked, Refusal)
    outcome = await ours.complete(opened, model, asked, stream=stream)
    if not isinstance(outcome, Answer):
        return FAILED, ()
    return ours.reading(outcome), outcome.dropped


async def _read(bench: Bench, read: Any, model: Model, *, stream: bool) -> Reading:
    try:
        found: Reading = await bench.call(lambda: read(model, bench.url, stream=stream))
    except Exception:  # noqa: BLE001 - whatever it raises, it is no answer
        return FAILED
    return found


assert all(key in BY_KEY for part in ("answers", "streams") for key in served(part))
