"""Writes a request in the form of chat completions, as the model and the server accept it.

Source: https://platform.openai.com/docs/api-reference/chat/create

`Takes` says what the model accepts, `Dialect` what the server does; names do not matter here. What
cannot be honoured is dropped and reported:

- of the request: what only other APIs have (`previous_response_id`, `store`, `mcp_servers`,
  `include`, `reasoning.summary`, items of an `input` that have no message), fields that the server
  does not know, and fields that the model does not accept;
- of a message: unknown keys (not reported), and cache marks if the server has none;
- of the tools: all that are not functions (the Responses API's built-in tools).

What has a nearest form is sent in that form, and reported with the reason. What would change the
question is refused, such as unsupported content. `capabilities` only concern routing.
"""

from collections.abc import Mapping
from typing import Any, Final

from nexus_actors.contract.request import LLMRequest, ReasoningEffort
from nexus_actors.providers.apis.chat.dialect import OPENAI, Dialect
from nexus_actors.providers.apis.chat.messages import MessageWriter
from nexus_actors.providers.apis.chat.output import Output, instructed, wanted_output
from nexus_actors.providers.apis.chat.parts import Unsayable
from nexus_actors.providers.apis.chat.tools import add_tools
from nexus_actors.providers.apis.conversation import items_without_message
from nexus_actors.providers.apis.omitted import omitted_in_chat
from nexus_actors.providers.http.api import Prepared, refused
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes, nearest

_ELSEWHERE: Final = (
    "previous_response_id",
    "store",
    "mcp_servers",
    "include",
    "reasoning_summary",
)
"""Fields that only the Responses API has, or that would be taken for its own."""
_EXTRAS: Final = ("metadata", "prompt_cache_key", "service_tier", "user")


def chat_call(
    request: LLMRequest,
    model: str,
    takes: Takes,
    *,
    stream: bool,
    dialect: Dialect = OPENAI,
) -> Prepared | ProviderFailure:
    """`POST /chat/completions`."""
    try:
        return _Writer(request, takes, dialect).call(model, stream=stream)
    except Unsayable as error:
        return refused(str(error))


class _Writer:
    def __init__(self, request: LLMRequest, takes: Takes, dialect: Dialect) -> None:
        self._request = request
        self._takes = takes
        self._dialect = dialect
        self._dropped: list[str] = [
            name for name in _ELSEWHERE if getattr(request, name) not in (None, ())
        ]
        self._dropped += items_without_message(request)
        self._dropped += omitted_in_chat(request)
        self._body: dict[str, Any] = {}

    def call(self, model: str, *, stream: bool) -> Prepared:
        request, takes = self._request, self._takes
        output = wanted_output(request, takes, self._dropped)
        messages = MessageWriter(request, takes, self._dialect, self._dropped).written()
        self._body = {"model": model, "messages": instructed(messages, output.instruction)}
        if request.max_tokens is not None:
            self._body[takes.limit] = most = min(
                request.max_tokens, takes.max_output_tokens or request.max_tokens
            )
            if most < request.max_tokens:
                self._dropped.append(f"max_tokens: sent as {most}, the most it answers with")
        forced = add_tools(self._body, self._dropped, request, takes)
        thinks = self._add_effort(idle=forced and takes.forced_choice_idle)
        self._add_samplers(thinks=thinks)
        self._add_plain(output)
        self._add_caching()
        if stream:
            self._add_stream()
        renamed = self._dialect.renamed
        body = {renamed.get(name, name): value for name, value in self._body.items()}
        names = {new: old for old, new in renamed.items() if new in body}
        names[takes.limit] = "max_tokens"  # a refusal may use its other name
        if "thinking" in body:
            asked = self._request.thinking or {}
            by_effort = (
                self._request.reasoning_effort is not None and asked.get("type") != "disabled"
            )
            field = "reasoning_effort" if by_effort else "thinking"
            names["thinking"] = names["thinking.type"] = field
        return Prepared(
            path="/chat/completions",
            body=body,
            dropped=tuple(self._dropped),
            names=names,
            check=output.check,
        )

    def _add_effort(self, *, idle: bool) -> bool:
        """Add the reasoning effort. Returns whether the model will think. `idle`: it must not."""
        takes = self._takes
        wanted, switch = self._asked()
        sent: ReasoningEffort | None
        if wanted is None and switch == "disabled":
            sent = "none" if "none" in takes.efforts else None
        elif wanted is not None and takes.efforts:
            sent = nearest(wanted, takes.efforts)
        else:
            sent = None
            self._add("reasoning_effort", wanted, taken=False)
        thinks = (sent or takes.default_effort) not in (None, "none") or (
            sent is None and switch == "enabled"
        )
        if idle and thinks:
            sent, thinks, switch = "none", False, None
            self._dropped.append("reasoning_effort: sent as none, as tool_choice is forced")
        elif sent is not None and wanted not in (None, sent):
            word = takes.effort_words.get(sent, sent)
            self._dropped.append(f"reasoning_effort: sent as {word}, the nearest that is taken")
        if sent is not None or switch is not None:
            self._write_effort(sent)
        return thinks

    def _asked(self) -> tuple[ReasoningEffort | None, str | None]:
        """The effort, and the switch of thinking. Disabled thinking overrides any effort."""
        wanted, switch = self._request.reasoning_effort, self._switch()
        if switch != "disabled" or wanted is None:
            return wanted, switch
        if wanted != "none":
            self._dropped.append("reasoning_effort: thinking is disabled")
        return (None, switch) if self._dialect.thinking else ("none", None)

    def _switch(self) -> str | None:
        """`enabled` or `disabled`, from the request's `thinking`, if the model accepts that."""
        thinking = self._request.thinking
        if thinking is None:
            return None
        kind = thinking.get("type")
        if kind == "disabled" and self._request.reasoning_effort not in (None, "none"):
            return "disabled"
        if not self._dialect.thinking or kind not in ("enabled", "adaptive", "disabled"):
            self._dropped.append("thinking")
            return None
        if thinking.get("budget_tokens") is not None:
            self._dropped.append("thinking.budget_tokens")
        return "disabled" if kind == "disabled" else "enabled"

    def _write_effort(self, effort: ReasoningEffort | None) -> None:
        if self._dialect.thinking:
            self._body["thinking"] = {"type": "disabled" if effort == "none" else "enabled"}
            if effort == "none":
                return
        if effort is not None:
            self._body["reasoning_effort"] = self._takes.effort_words.get(effort, effort)

    def _add_samplers(self, *, thinks: bool) -> None:
        request, takes = self._request, self._takes
        idle_only = takes.samplers == "idle" and thinks
        taken = takes.samplers != "none" and not idle_only
        self._add("temperature", self._temperature() if taken else request.temperature, taken=taken)
        one_is_enough = takes.samplers == "one" and request.temperature is not None
        self._add("top_p", request.top_p, taken=taken and not one_is_enough)
        self._add("top_k", request.top_k, taken=takes.top_k and not idle_only)
        penalties = takes.penalties and not idle_only
        self._add("presence_penalty", request.presence_penalty, taken=penalties)
        self._add("frequency_penalty", request.frequency_penalty, taken=penalties)

    def _temperature(self) -> float | None:
        asked, most = self._request.temperature, self._takes.most_temperature
        if asked is None or most is None or asked <= most:
            return asked
        self._dropped.append(f"temperature: sent as {most:g}, the most that is taken")
        return most

    def _add_plain(self, output: Output) -> None:
        request, takes = self._request, self._takes
        self._add("stop", self._stops() or None, taken=takes.stop)
        self._add("seed", request.seed, taken=takes.seed)
        self._add("verbosity", request.verbosity, taken=takes.verbosity)
        for name in _EXTRAS:
            self._add(name, getattr(request, name), taken=name in self._dialect.extras)
        if output.format is not None:
            self._body["response_format"] = output.format

    def _add(self, name: str, value: Any, *, taken: bool) -> None:
        if value is None:
            return
        if taken:
            self._body[name] = value
        else:
            self._dropped.append(name)

    def _stops(self) -> list[str]:
        stops, takes = list(self._request.stop), self._takes
        if not takes.stop:
            return stops
        if not takes.blank_stop:
            blank = [place for place, stop in enumerate(stops) if not stop.strip()]
            self._dropped += [f"stop[{place}]: white space alone is not taken" for place in blank]
            stops = [stop for stop in stops if stop.strip()]
        most = takes.most_stops
        if most is not None and len(stops) > most:
            self._dropped.append(f"stop: the first {most}, as many as are taken")
            stops = stops[:most]
        return stops

    def _add_caching(self) -> None:
        cache = self._request.cache_control
        honoured = self._dialect.auto_cache and self._takes.cache_control
        self._add("cache_control", cache, taken=honoured)

    def _add_stream(self) -> None:
        if not self._dialect.schema_streams and _by_schema(self._body):
            self._dropped.append("stream: an answer by a schema comes whole")
            return
        self._body["stream"] = True
        if self._dialect.stream_usage:
            self._body["stream_options"] = {"include_usage": True}


def _by_schema(body: Mapping[str, Any]) -> bool:
    wanted = body.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") == "json_schema"
