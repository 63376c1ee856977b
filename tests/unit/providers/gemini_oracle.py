"""What the official client sends for a body of ours, and what it makes of an answer."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import httpx2

from nexus_actors.providers.http.api import Prepared
from tests.lazy import Lazy

genai: Any = Lazy("google.genai")
types: Any = Lazy("google.genai.types")
BASE: Final = "https://gemini.example/v1beta"
KEY: Final = "AIza-canary"
_FREE: Final = ("args", "response", "parametersJsonSchema", "responseJsonSchema")
"""Members whose keys are the user's own."""
_sent: Final[list[httpx2.Request]] = []


def check_call(prepared: Prepared, model: str, *, stream: bool) -> None:
    """Raise unless the official client, given what `prepared.body` says, sends just that.

    Every member is first read into the client's own models, which forbid what they do not know.
    """
    request = _send(json.loads(json.dumps(prepared.body)), model, stream=stream)
    assert f"{request.url.scheme}://{request.url.host}{request.url.raw_path.decode()}" == (
        BASE + prepared.path
    )
    assert request.headers["x-goog-api-key"] == KEY
    # It always sends a configuration, if need be an empty one.
    sent, ours = _camel(json.loads(request.content)), {"generationConfig": {}, **prepared.body}
    assert sent == ours, f"{sent}\nis not\n{ours}"


def check_answer(answer: Mapping[str, Any]) -> Any:
    """`answer` as the official client reads it; raises if a member is not one of the API's."""
    read = types.GenerateContentResponse.model_validate_json(json.dumps(answer))
    assert read.model_dump(mode="json", by_alias=True, exclude_none=True) == answer
    return read


def _send(body: dict[str, Any], model: str, *, stream: bool) -> httpx2.Request:
    config = body.pop("generationConfig", {})
    assert not {"systemInstruction", "tools", "toolConfig"} & config.keys()
    contents = [
        types.Content.model_validate_json(json.dumps(content)) for content in body.pop("contents")
    ]
    # What stands beside `contents` is in this client's configuration, with what is inside.
    types.GenerationConfig.model_validate_json(json.dumps(config))
    said = types.GenerateContentConfig.model_validate_json(json.dumps(config | body))
    models = _client().models
    if stream:
        list(models.generate_content_stream(model=model, contents=list(contents), config=said))
    else:
        models.generate_content(model=model, contents=list(contents), config=said)
    return _sent.pop()


def _answer(request: httpx2.Request) -> httpx2.Response:
    _sent.append(request)
    return httpx2.Response(200, json={"candidates": [{"finishReason": "STOP"}]})


@cache
def _client() -> Any:
    transport = httpx2.Client(transport=httpx2.MockTransport(_answer))
    options = types.HttpOptions(
        base_url=BASE.removesuffix("/v1beta"), api_version="v1beta", httpx_client=transport
    )
    return genai.Client(api_key=KEY, http_options=options)


def _camel(value: Any) -> Any:
    """The client mixes both spellings, which are one to the API; ours has the documented one."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub("_([a-z])", lambda m: m[1].upper(), key): item for key, item in value.items()}
    return {key: item if key in _FREE else _camel(item) for key, item in named.items()}
