"""Requests, answers and texts drawn by hypothesis, read by the service's own functions."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz import measure, places, subjects
from fuzz.bases import ANSWERS, ERRORS, REQUESTS
from fuzz.finding import Finding, described, shortened
from fuzz.growth import grown, shapes
from fuzz.mutate import changed, changes, cut, cuts, json_text, pieces
from fuzz.row import identified

SECONDS: Final = 0.25
"""Of CPU that any input may take, and `PER_BYTE` besides."""
PER_BYTE: Final = 2e-6
_SHOWN: Final = 1500


class TooSlow(AssertionError):
    """An input takes longer than it may."""


def drawn(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """`count` values, the same for the same number."""
    values: list[Any] = []
    _run(strategy, values.append, count, number, (Phase.generate,))
    return values


def _run(
    strategy: st.SearchStrategy[Any],
    use: Callable[[Any], None],
    count: int,
    number: int,
    phases: Sequence[Phase],
) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(value: Any) -> None:
        use(value)

    run()


def searched(
    part: str,
    strategy: st.SearchStrategy[Any],
    use: Callable[[Any], int],
    count: int,
    number: int,
) -> list[Finding]:
    """Run `use` with values, which tells their length; the least one that fails is the finding."""
    last: Any = None

    def timed(value: Any) -> None:
        nonlocal last
        last = value
        began = time.thread_time()
        allowed = SECONDS + PER_BYTE * use(value)
        if time.thread_time() - began > allowed:
            taken = measure.cpu(lambda: use(value), 3)
            if taken > allowed:
                raise TooSlow(f"{taken:.2f} s of CPU")

    try:
        _run(strategy, timed, count, number, (Phase.generate, Phase.shrink))
    except Exception as error:  # noqa: BLE001 - any is a finding
        what, where = described(error)
        return [Finding(part, what, shortened(repr(last), _SHOWN), where)]
    return []


# -- what is drawn

_requests: Final = st.tuples(
    st.integers(0, len(REQUESTS) - 1), changes, st.integers(0, 30), st.booleans()
)


def _request(value: Any) -> int:
    base, steps, how, whole = value
    if whole:
        fields = changed({"request_id": "r", "task_type": "coder", **REQUESTS[base]}, steps)
    else:
        fields = changed(REQUESTS[base], steps)
        fields = identified(fields, {"request_id": "r", "complexity": "simple"})
    text = json_text(fields)
    subjects.request(text if how else text[: len(text) // 2])
    return len(text)


_answers: Final = st.tuples(
    st.sampled_from(sorted(ANSWERS)),
    st.sampled_from(("whole", "events", "lines", "list", "crlf")),
    changes,
    cuts,
    st.sampled_from((1, 7, 64, 1 << 20)),
    st.booleans(),
)


def _body(api: str, form: str, steps: Any) -> bytes:
    whole, events = ANSWERS[api]
    if form == "whole":
        return json_text(changed(whole, steps)).encode()
    told_events = changed(events, steps)
    texts = [json_text(event).encode() for event in told_events]
    match form:
        case "lines":
            return b"\n".join(texts)
        case "list":
            return b"[" + b",".join(texts) + b"]"
        case "crlf":
            return b"".join(b"event: x\r\ndata: %s\r\n\r\n" % text for text in texts)
        case _:
            return b"".join(b"data: %s\n\n" % text for text in texts) + b"data: [DONE]\n\n"


def _answer(value: Any) -> int:
    api, form, steps, knife, length, streamed = value
    body = cut(_body(api, form, steps), knife)
    parts = list(pieces(body, length))
    subjects.answer(api, body, parts if streamed else None, 200)
    if streamed:
        subjects.event_stream(body, parts)
    return len(body)


_failures: Final = st.tuples(
    st.sampled_from(sorted(ANSWERS)),
    st.sampled_from(ERRORS),
    changes,
    cuts,
    st.sampled_from((400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503, 529)),
)


def _failure(value: Any) -> int:
    api, base, steps, knife, status = value
    body = cut(json_text(changed(base, steps)).encode(), knife)
    subjects.answer(api, body, None, status)
    return len(body)


_CHARACTERS: Final = (
    *'{}[]",:\\/ \n\r\t0123456789.eE+-abnrtuful',
    "\0",
    "é",
    "\u2028",
    "😀",
    "NaN",
    "\\ud8",
)
_texts: Final = st.tuples(
    st.sampled_from(sorted(subjects.TEXTS)),
    st.one_of(
        st.lists(st.sampled_from(_CHARACTERS), max_size=60).map("".join),
        st.tuples(st.sampled_from(REQUESTS), changes).map(lambda it: json_text(changed(*it))),
    ),
    cuts,
)


def _text(value: Any) -> int:
    name, text, knife = value
    text = cut(text.encode("utf-8", "replace"), knife).decode("utf-8", "replace")
    subjects.TEXTS[name](text)
    return len(text)


PARTS: Final[dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], int]]]] = {
    "requests": (_requests, _request),
    "answers": (_answers, _answer),
    "failures": (_failures, _failure),
    "texts": (_texts, _text),
}


def run_part(part: str, count: int, number: int, folder: Path) -> list[Finding]:
    """Draw `count` inputs of a part. `folder`: an empty one, for what reads files."""
    if part == "growth":
        every = list(shapes())
        chosen = drawn(st.sampled_from(every), count, number)
        return [finding for shape in chosen for finding in grown(shape)]
    if part == "places":
        strategy, use = places.strategy, places.reader(folder)
    else:
        strategy, use = PARTS[part]
    return searched(part, strategy, use, count, number)
