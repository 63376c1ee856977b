"""Answers of Google's generateContent."""

from collections.abc import Mapping
from typing import Any, Final

from differential.sse import Served, sse

_GEMINI: Final = "gemini/gemini-3.8-flash"
_OLD: Final = "gemini/gemini-2.5-flash"
USAGE: Final = {"promptTokenCount": 20, "candidatesTokenCount": 8, "totalTokenCount": 28}
_TEXT: Final = {"text": "Rain."}
_THOUGHT: Final = {"text": "Wet.", "thought": True}


def _call(city: str = "Oslo", **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": "weather", "args": {"city": city}, **more}}


def _answer(*parts: Any, finish: str | None = "STOP", **usage: Any) -> dict[str, Any]:
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    return {
        "candidates": [
            {"index": 0, **content, **({} if finish is None else {"finishReason": finish})}
        ],
        "usageMetadata": {**USAGE, **usage},
        "modelVersion": "served",
        "responseId": "r-1",
    }


def _thinking(total: int = 33) -> dict[str, Any]:
    return {"thoughtsTokenCount": 5, "totalTokenCount": total}


ANSWERS: Final[Mapping[str, Served]] = {
    "text": Served(_GEMINI, _answer(_TEXT)),
    "parts": Served(_GEMINI, _answer({"text": "Ra"}, {"text": "in."})),
    "length": Served(_GEMINI, _answer(_TEXT, finish="MAX_TOKENS")),
    "length, nothing said": Served(
        _GEMINI, _answer(finish="MAX_TOKENS", candidatesTokenCount=0, totalTokenCount=20)
    ),
    "unsafe": Served(_GEMINI, _answer(_TEXT, finish="SAFETY")),
    "recited": Served(_GEMINI, _answer(finish="RECITATION")),
    "forbidden": Served(_GEMINI, _answer(finish="PROHIBITED_CONTENT")),
    "call": Served(_GEMINI, _answer(_call(id="fc1"))),
    "call without an id": Served(_OLD, _answer(_call())),
    "calls": Served(_GEMINI, _answer(_call(id="fc1"), _call("Bergen", id="fc2"))),
    "call with text": Served(_GEMINI, _answer({"text": "I look."}, _call(id="fc1"))),
    "call without arguments": Served(
        _GEMINI, _answer({"functionCall": {"name": "weather", "id": "fc1"}})
    ),
    "call with a signature": Served(
        _GEMINI, _answer({**_call(id="fc1"), "thoughtSignature": "c2ln"})
    ),
    "thought": Served(_GEMINI, _answer(_THOUGHT, _TEXT, **_thinking())),
    "signature of a text": Served(
        _GEMINI, _answer({**_TEXT, "thoughtSignature": "c2ln"}, **_thinking())
    ),
    "cached": Served(_GEMINI, _answer(_TEXT, cachedContentTokenCount=12)),
    "prompt refused": Served(
        _GEMINI,
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 20}},
    ),
    "call malformed": Served(_GEMINI, _answer(finish="MALFORMED_FUNCTION_CALL")),
    "counts by kind": Served(
        _GEMINI,
        _answer(_TEXT, promptTokensDetails=[{"modality": "TEXT", "tokenCount": 20}]),
    ),
}


def _chunk(*parts: Any, finish: str | None = None, **usage: Any) -> dict[str, Any]:
    return _answer(*parts, finish=finish, **usage)


STREAMS: Final[Mapping[str, Served]] = {
    "text": Served(
        _GEMINI,
        sse(_chunk({"text": "Ra"}), _chunk({"text": "in."}, finish="STOP"), done=False),
    ),
    "end without parts": Served(
        _GEMINI, sse(_chunk({"text": "Rain."}), _chunk(finish="STOP"), done=False)
    ),
    "length": Served(_GEMINI, sse(_chunk({"text": "Rai"}, finish="MAX_TOKENS"), done=False)),
    "call": Served(_GEMINI, sse(_chunk(_call(id="fc1"), finish="STOP"), done=False)),
    "calls": Served(
        _GEMINI,
        sse(_chunk(_call(id="fc1")), _chunk(_call("Bergen", id="fc2"), finish="STOP"), done=False),
    ),
    "thought": Served(
        _GEMINI,
        sse(
            _chunk(_THOUGHT),
            _chunk({"text": "Rain."}, finish="STOP", **_thinking()),
            done=False,
        ),
    ),
    "unsafe": Served(_GEMINI, sse(_chunk({"text": "Ra"}), _chunk(finish="SAFETY"), done=False)),
    "counts at the end": Served(
        _GEMINI,
        sse(
            {"candidates": [{"content": {"role": "model", "parts": [{"text": "Ra"}]}}]},
            _chunk({"text": "in."}, finish="STOP", cachedContentTokenCount=12),
            done=False,
        ),
    ),
}
