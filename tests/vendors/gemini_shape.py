"""The names that Gemini's API knows, message by message; any other is an error.

https://ai.google.dev/api/generate-content, https://ai.google.dev/api/caching
"""

from collections.abc import Mapping
from typing import Any, Final

_FREE: Final = None
"""Whatever stands there is the user's own, or a plain value."""
_BLOB: Final = {"mimeType": _FREE, "data": _FREE, "displayName": _FREE}
_FILE: Final = {"mimeType": _FREE, "fileUri": _FREE, "displayName": _FREE}
_PART: Final[Mapping[str, Any]] = {
    "text": _FREE,
    "thought": _FREE,
    "thoughtSignature": _FREE,
    "inlineData": _BLOB,
    "fileData": _FILE,
    "mediaResolution": _FREE,
    "videoMetadata": _FREE,
    "functionCall": {"id": _FREE, "name": _FREE, "args": _FREE},
    "functionResponse": {
        "id": _FREE,
        "name": _FREE,
        "response": _FREE,
        "parts": {"inlineData": _BLOB, "fileData": _FILE},
        "scheduling": _FREE,
        "willContinue": _FREE,
    },
}
_CONTENT: Final = {"role": _FREE, "parts": _PART}
_DECLARATION: Final = dict.fromkeys(
    ("name", "description", "parameters", "parametersJsonSchema", "response", "behavior")
)
_CONFIG: Final[Mapping[str, Any]] = {
    **dict.fromkeys(
        (
            "candidateCount",
            "enableEnhancedCivicAnswers",
            "frequencyPenalty",
            "logprobs",
            "maxOutputTokens",
            "mediaResolution",
            "presencePenalty",
            "responseJsonSchema",
            "responseLogprobs",
            "responseMimeType",
            "responseModalities",
            "responseSchema",
            "seed",
            "speechConfig",
            "stopSequences",
            "temperature",
            "topK",
            "topP",
        )
    ),
    "thinkingConfig": dict.fromkeys(("includeThoughts", "thinkingBudget", "thinkingLevel")),
}
_REQUEST: Final[Mapping[str, Any]] = {
    "contents": _CONTENT,
    "systemInstruction": _CONTENT,
    "tools": {
        "functionDeclarations": _DECLARATION,
        **dict.fromkeys(("googleSearch", "codeExecution", "urlContext", "googleMaps")),
    },
    "toolConfig": {
        "functionCallingConfig": dict.fromkeys(("mode", "allowedFunctionNames")),
        "retrievalConfig": _FREE,
    },
    "generationConfig": _CONFIG,
    "safetySettings": _FREE,
    "cachedContent": _FREE,
    "serviceTier": _FREE,
    "store": _FREE,
}


def misnamed(body: Any, shape: Any = _REQUEST, path: str = "") -> tuple[str, str] | None:
    """Where a name stands that nothing has, and the name."""
    if shape is _FREE:
        return None
    if isinstance(body, list):
        return next((it for item in body if (it := misnamed(item, shape, path))), None)
    if not isinstance(body, dict):
        return None
    for name, value in body.items():
        if name not in shape:
            return path, name
        wrong = misnamed(value, shape[name], f"{path}.{name}".removeprefix("."))
        if wrong is not None:
            return wrong
    return None
