"""Writes a request in the form of Anthropic's Messages API.

Source: https://platform.claude.com/docs/en/api/messages/create

What the API has no form for is refused if the question would change without it: content parts and
calls of unknown kinds, images and documents of other types. Anything else is dropped and reported:
the fields in `_NOWHERE`, `response_format` without a schema, `tool_choice` and
`parallel_tool_calls` without tools, tools that are not functions, the `name` of a message, and
items of an `input` that have no message.

What a model does not accept is sent in the nearest form, and reported with the reason: see
`takes.py`, `messages/thinking.py` for thinking, effort and samplers, `messages/schema.py` for JSON
Schemas. A schema that cannot be sent becomes an instruction, and the answer is validated here.

System messages become the top-level `system`, wherever they were: one text, or parts if one has a
cache mark. Without any other message they become a user message. The API requires `max_tokens`; the
default is the setting's, then the model's maximum. An image's `detail` is only a hint, which the
API lacks; it is left out and not reported.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.contract.foreign import bounded
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.conversation import (
    Conversation,
    Function,
    JsonObject,
    JsonSchema,
    Named,
    names_of_speakers,
    narrowed,
    read_conversation,
)
from nexus_actors.providers.apis.messages.cache import Marks
from nexus_actors.providers.apis.messages.content import (
    GO_ON,
    Unsayable,
    is_begun,
    lacks_thoughts,
    plain,
    trim_begun,
    written_messages,
)
from nexus_actors.providers.apis.messages.schema import Unwritable, written_schema
from nexus_actors.providers.apis.messages.thinking import Barred, Chosen, add_samplers, choose
from nexus_actors.providers.apis.omitted import omitted_in_messages
from nexus_actors.providers.http.api import Prepared, refused
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes

WITHOUT_SAMPLING: Final = "2026-10-21"
"""The first version of the API that refuses temperature and the other samplers."""
USUAL_MAX_TOKENS: Final = 8192
"""The default for a model with an unknown maximum."""
_NOWHERE: Final = (
    "seed",
    "previous_response_id",
    "store",
    "mcp_servers",
    "presence_penalty",
    "frequency_penalty",
    "verbosity",
    "reasoning_summary",
    "include",
    "prompt_cache_key",
)
_CLOSED: Final = "objects are closed, what additionalProperties asks for has no form"
_TIERS: Final = ("auto", "standard_only")
_MOST_USER_ID: Final = 256

_Block = dict[str, Any]


def messages_call(
    request: LLMRequest,
    model: str,
    takes: Takes,
    *,
    stream: bool,
    version: str,
    max_tokens: int | None = None,
    cache: bool = False,
) -> Prepared | ProviderFailure:
    """`POST /messages`. `max_tokens` is the default for requests; None means the model's maximum.
    `cache`: every prompt is cached as far as possible."""
    conversation = narrowed(read_conversation(request))
    lost = [path for path in conversation.unsaid if path.startswith("messages")]
    if lost:
        return refused(f"the Messages API has no form for {', '.join(bounded(lost))}")
    call = _Call(request, conversation, takes)
    try:
        return call.written(
            model, stream=stream, version=version, max_tokens=max_tokens, cache=cache
        )
    except Unsayable as error:
        return refused(f"the Messages API has no form for {error}")


class _Call:
    """Writes the body of one call."""

    def __init__(self, request: LLMRequest, conversation: Conversation, takes: Takes) -> None:
        self._request = request
        self._conversation = conversation
        self._takes = takes
        self._dropped = [name for name in _NOWHERE if getattr(request, name) not in (None, ())]
        self._marks = Marks(self._tell, taken=takes.cache_control)
        self._names: dict[str, str] = {}
        self._check: Mapping[str, Any] | None = None
        self._asked_by_system = False

    def _tell(self, what: str) -> None:
        if what not in self._dropped:
            self._dropped.append(what)

    def written(
        self, model: str, *, stream: bool, version: str, max_tokens: int | None, cache: bool
    ) -> Prepared | ProviderFailure:
        request, conversation, takes = self._request, self._conversation, self._takes
        messages = written_messages(conversation.turns, takes, self._marks, self._tell)
        if not messages:
            messages = self._system_asked()
        if not messages:
            return refused("no message to answer")
        self._dropped += [it for it in conversation.unsaid if not it.startswith("messages")]
        self._dropped += names_of_speakers(request)
        self._dropped += omitted_in_messages(request)
        body: _Block = {
            "model": model,
            "max_tokens": self._max_tokens(max_tokens),
            "messages": messages,
        }
        if not self._asked_by_system:
            self._add_system(body)
        self._add_stop(body)
        self._add_tools(body)
        output = self._output(body)
        self._begin(messages, schema="format" in output)
        chosen = choose(request, takes, body["max_tokens"], self._barred(body), self._tell)
        self._add_thinking(body, output, chosen)
        none = version >= WITHOUT_SAMPLING
        add_samplers(body, request, takes, self._tell, none=none, thinks=chosen.on)
        self._add_account(body)
        if stream:
            body["stream"] = True
        self._marks.settle(body, self._automatic(cache=cache))
        body["messages"] = plain(messages)
        return Prepared(
            path="/messages",
            body=body,
            dropped=tuple(self._dropped),
            names=self._names,
            check=self._check,
        )

    def _max_tokens(self, setting: int | None) -> int:
        most, asked = self._takes.max_output_tokens, self._request.max_tokens
        wanted = asked or setting or most or USUAL_MAX_TOKENS
        if most is None or wanted <= most:
            return wanted
        if asked:
            self._tell(f"max_tokens: sent as {most}, the most that the model answers with")
        return most

    def _system_asked(self) -> list[_Block]:
        """The system messages as a user message, if there are no other messages."""
        blocks = self._system()
        if not blocks:
            return []
        self._asked_by_system = True
        self._tell("messages: the system's words are asked as the user's")
        return [{"role": "user", "content": blocks}]

    def _system(self) -> list[_Block]:
        blocks: list[_Block] = []
        conversation = self._conversation
        for text, path in zip(conversation.system, conversation.system_paths, strict=True):
            if text.text.strip():
                block: _Block = {"type": "text", "text": text.text}
                self._marks.add(block, text.cache, f"{path}.content")
                blocks.append(block)
            else:
                self._marks.carry(blocks, text.cache, f"{path}.content")
        return blocks

    def _add_system(self, body: _Block) -> None:
        blocks = self._system()
        if len(blocks) == 1 and "cache_control" not in blocks[0]:
            body["system"] = blocks[0]["text"]
        elif blocks:
            body["system"] = blocks

    def _add_stop(self, body: _Block) -> None:
        kept: list[str] = []
        for place, text in enumerate(self._request.stop):
            if not self._takes.stop:
                self._tell("stop: the model takes none")
            elif not text or (not text.strip() and not self._takes.blank_stop):
                self._tell(f"stop[{place}]: white space alone is not taken")
            elif self._takes.most_stops is not None and len(kept) >= self._takes.most_stops:
                self._tell(f"stop[{place}]: the model takes {self._takes.most_stops}")
            else:
                kept.append(text)
        if kept:
            body["stop_sequences"] = kept

    # -- tools

    def _add_tools(self, body: _Block) -> None:
        conversation, parallel = self._conversation, self._request.parallel_tool_calls
        if not conversation.functions:
            if conversation.choice is not None:
                self._tell("tool_choice")
            if parallel is not None:
                self._tell("parallel_tool_calls")
            return
        body["tools"] = [self._tool(function) for function in conversation.functions]
        choice = self._choice()
        if parallel is False and choice != {"type": "none"}:
            choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
            self._names["tool_choice.disable_parallel_tool_use"] = "parallel_tool_calls"
        if choice is not None:
            body["tool_choice"] = choice

    def _choice(self) -> _Block | None:
        match self._conversation.choice:
            case None:
                return None
            case "auto" | "none" as choice:
                return {"type": choice}
            case _ if not self._takes.forced_tool_choice:
                self._tell("tool_choice: sent as auto, the model cannot be made to call")
                return {"type": "auto"}
            case Named(name):
                return {"type": "tool", "name": name}
            case _:
                return {"type": "any"}

    def _tool(self, function: Function) -> _Block:
        schema = dict(function.parameters or {})
        schema.setdefault("type", "object")
        tool: _Block = {"name": function.name, "input_schema": schema}
        if function.description is not None:
            tool["description"] = function.description
        if function.strict is not None and "json_schema" not in self._takes.outputs:
            if function.strict:
                self._tell(f"{function.path}.strict: the model takes no schema")
        elif function.strict is not None:
            tool["strict"] = function.strict
        if tool.get("strict"):
            try:
                written = written_schema(schema)
                tool["input_schema"] = written.schema
                if written.closed:
                    self._tell(f"{function.path}.strict: {_CLOSED}")
            except Unwritable as error:
                del tool["strict"]
                self._tell(f"{function.path}.strict: the API has no form for {error}")
        self._marks.add(tool, function.cache, function.path)
        return tool

    # -- the response

    def _output(self, body: _Block) -> _Block:
        match self._conversation.output:
            case JsonSchema() as wanted:
                return self._schema(body, wanted)
            case JsonObject():
                self._tell("response_format")
        return {}

    def _schema(self, body: _Block, wanted: JsonSchema) -> _Block:
        schema = dict(wanted.schema)
        if wanted.description is not None:
            schema.setdefault("description", wanted.description)
        why = "the model takes no schema"
        if "json_schema" in self._takes.outputs:
            try:
                written = written_schema(schema)
            except Unwritable as error:
                why = f"the API has no form for {error}"
            else:
                self._check = None if written.exact else wanted.schema
                if written.closed:
                    self._tell(f"response_format: {_CLOSED}")
                return {"format": {"type": "json_schema", "schema": written.schema}}
        self._tell(f"response_format: asked for in words, {why}")
        self._check = wanted.schema
        text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
        words = f"Answer with JSON alone, without any other word, that fits this schema:\n{text}"
        match body.get("system"):
            case list() as blocks:
                blocks.append({"type": "text", "text": words})
            case None:
                body["system"] = words
            case before:
                body["system"] = f"{before}\n\n{words}"
        return {}

    def _begin(self, messages: list[_Block], *, schema: bool) -> None:
        if not is_begun(messages):
            return
        if self._takes.prefill and not schema:
            trim_begun(messages)
            return
        why = "an answer by a schema cannot be begun"
        if not self._takes.prefill:
            why = "the model takes no answer that is begun"
        begun = next(it for it in reversed(self._conversation.turns) if it.role == "assistant")
        if messages[-1]["content"][-1]["type"] == "tool_use":
            raise Unsayable(f"calls without their results ({begun.path})")
        self._tell(f"{begun.path}: {why}, it is asked to go on")
        messages.append({"role": "user", "content": [{"type": "text", "text": GO_ON}]})

    # -- thinking

    def _barred(self, body: _Block) -> Barred:
        messages = body["messages"]
        if body.get("tool_choice", {}).get("type") in ("any", "tool"):
            return Barred(always="as a call is forced")
        if is_begun(messages):
            return Barred(always="as the answer is begun")
        if lacks_thoughts(messages):
            return Barred(budget="as the calls came without their thinking")
        return Barred()

    def _add_thinking(self, body: _Block, output: _Block, chosen: Chosen) -> None:
        if chosen.effort is not None:
            output["effort"] = chosen.effort
            self._names["output_config.effort"] = "reasoning_effort"
        if output:
            body["output_config"] = output
        if chosen.thinking is not None:
            body["thinking"] = chosen.thinking
            field = "reasoning_effort" if chosen.by_effort else "thinking"
            for name in ("thinking", "thinking.type", "thinking.budget_tokens"):
                self._names[name] = field

    # -- user and service tier

    def _add_account(self, body: _Block) -> None:
        request = self._request
        metadata = dict(request.metadata or {})
        users = {"user": request.user, "metadata.user_id": metadata.pop("user_id", None)}
        for path, user in users.items():
            if user is None:
                continue
            if isinstance(user, str) and len(user) <= _MOST_USER_ID and "metadata" not in body:
                body["metadata"] = {"user_id": user}
                self._names["metadata.user_id"] = path.partition(".")[0]
            else:
                self._tell(path)
        for name in bounded(sorted(metadata)):
            self._tell(f"metadata.{name}")
        if request.service_tier in _TIERS:
            body["service_tier"] = request.service_tier
        elif request.service_tier is not None:
            self._tell("service_tier: no tier that the API has")

    def _automatic(self, *, cache: bool) -> _Block | None:
        asked = self._request.cache_control
        if asked is not None:
            return self._marks.read(asked, "cache_control")
        return {"type": "ephemeral"} if cache and self._takes.cache_control else None
