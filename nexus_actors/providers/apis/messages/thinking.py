"""Chooses thinking, effort and samplers for a Claude, as its model accepts them.

Sources: https://platform.claude.com/docs/en/build-with-claude/thinking (forms of `thinking`),
.../effort (`output_config.effort`), .../extended-thinking (budgets; no samplers, forced tools or
prefilled answer while it thinks).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus_actors.contract.foreign import clean_name
from nexus_actors.contract.request import LLMRequest, ReasoningEffort
from nexus_actors.providers.takes import EFFORTS, Takes, nearest

LEAST_BUDGET: Final = 1024
"""Tokens: https://platform.claude.com/docs/en/build-with-claude/extended-thinking."""
_USUAL_BUDGET: Final = 16_384
"""Tokens, for adaptive thinking with a model that accepts only budgets."""
_OFF: Final = ("disabled", "between_tools")
_DISPLAYS: Final = ("summarized", "omitted")

_Block = dict[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Barred:
    """Why this request cannot have thinking; None if it can."""

    always: str | None = None
    budget: str | None = None
    """Why it cannot have thinking with a budget (`enabled`)."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chosen values to send."""

    thinking: _Block | None
    effort: str | None
    by_effort: bool
    """Whether `thinking` was derived from an effort."""

    @property
    def on(self) -> bool:
        """Whether thinking is requested."""
        return self.thinking is not None and self.thinking["type"] not in _OFF


def choose(
    request: LLMRequest, takes: Takes, max_tokens: int, barred: Barred, tell: Tell
) -> Chosen:
    """Choose what to send for the request's `thinking` and `reasoning_effort`."""
    thinking: _Block | None = None
    lowest: str | None = None
    effort = request.reasoning_effort
    if request.thinking is not None:
        asked = request.thinking
        if asked.get("type") in _OFF:
            thinking, lowest = _off(str(asked["type"]), "thinking", takes, tell)
        else:
            thinking = _barred(_on(asked, takes, max_tokens, tell), takes, barred, tell)
        if effort == "none":
            effort = None
            if asked.get("type") not in _OFF:
                tell("reasoning_effort: thinking was asked for")
    elif effort == "none":
        thinking, lowest = _off("disabled", "reasoning_effort", takes, tell)
        return Chosen(thinking, lowest, by_effort=True)
    if effort is None:
        return Chosen(thinking, lowest, by_effort=False)
    sent = _effort(effort, takes, thinking, tell)
    if sent is None or request.thinking is not None or takes.thinks_unasked:
        return Chosen(thinking, sent or lowest, by_effort=False)
    # These models only think if `thinking` is sent, whatever the effort.
    if "adaptive" not in takes.thinking:
        return Chosen(None, sent, by_effort=False)
    if barred.always is not None:
        tell(f"reasoning_effort: sent without thinking, {barred.always}")
        return Chosen(None, sent, by_effort=False)
    return Chosen({"type": "adaptive"}, sent, by_effort=True)


def _levels(takes: Takes, most: ReasoningEffort = EFFORTS[-1]) -> tuple[ReasoningEffort, ...]:
    """The model's efforts in ascending order."""
    known = EFFORTS[: EFFORTS.index(most) + 1]
    return tuple(it for it in known if it != "none" and it in takes.efforts)


def _effort(
    effort: ReasoningEffort, takes: Takes, thinking: _Block | None, tell: Tell
) -> ReasoningEffort | None:
    levels = _levels(takes)
    if not levels:
        tell("reasoning_effort: the model takes no effort")
        return None
    most = takes.effort_without_thinking
    if most is not None and thinking is not None and thinking["type"] in _OFF:
        levels = _levels(takes, most)
        if not levels:
            tell("reasoning_effort: the model takes none without thinking")
            return None
    sent = nearest(effort, levels)
    if sent != effort:
        tell(f"reasoning_effort: sent as {sent}, the nearest that the model takes")
    return sent


def _off(wanted: str, path: str, takes: Takes, tell: Tell) -> tuple[_Block | None, str | None]:
    """Disable thinking, or choose the lowest effort if the model always thinks."""
    for form in (wanted, *_OFF):
        if form in takes.thinking:
            if form != wanted:
                tell(f"{path}: sent as thinking {form}, the nearest that the model takes")
            return {"type": form}, None
    if not takes.thinks_unasked:
        return None, None
    levels = _levels(takes)
    if not levels:
        tell(f"{path}: the model always thinks")
        return None, None
    tell(f"{path}: the model always thinks, sent as effort {levels[0]}")
    return None, levels[0]


def _on(asked: Mapping[str, Any], takes: Takes, max_tokens: int, tell: Tell) -> _Block | None:
    form = asked.get("type")
    if form not in ("adaptive", "enabled"):
        tell("thinking: no form that the API has")
        return None
    if not takes.thinking:
        tell("thinking: the model does not think")
        return None
    known = {"type", "display"} | ({"budget_tokens"} if form == "enabled" else set())
    for key in sorted(str(key) for key in asked.keys() - known)[:8]:
        tell(f"thinking.{clean_name(key)}")
    display = asked.get("display")
    shown = {"display": display} if display in _DISPLAYS else {}
    if display is not None and not shown:
        tell("thinking.display")
    if form == "adaptive" and "adaptive" in takes.thinking:
        return {"type": "adaptive", **shown}
    if "enabled" in takes.thinking:
        budget = _budget(asked.get("budget_tokens"), max_tokens, form == "adaptive", tell)
        return None if budget is None else {"type": "enabled", "budget_tokens": budget, **shown}
    tell("thinking: sent as adaptive, the form that the model takes")
    return {"type": "adaptive", **shown}


def _budget(asked: Any, max_tokens: int, adaptive: bool, tell: Tell) -> int | None:
    """Tokens for thinking, which are part of `max_tokens`. None if there is no room."""
    if max_tokens <= LEAST_BUDGET:
        tell(f"thinking: max_tokens leaves no room for {LEAST_BUDGET} tokens of it")
        return None
    if adaptive or not isinstance(asked, int) or isinstance(asked, bool):
        budget = max(LEAST_BUDGET, min(_USUAL_BUDGET, max_tokens // 2))
        tell(f"thinking: sent as enabled with {budget} tokens, the form that the model takes")
        return budget
    budget = min(max(asked, LEAST_BUDGET), max_tokens - 1)
    if budget != asked:
        tell(f"thinking.budget_tokens: sent as {budget}, the nearest that the API takes")
    return budget


def _barred(thinking: _Block | None, takes: Takes, barred: Barred, tell: Tell) -> _Block | None:
    if thinking is None:
        return None
    why = barred.always
    if thinking["type"] == "enabled":
        why = why or barred.budget
    if why is None:
        return thinking
    if not takes.thinks_unasked:  # else it thinks by itself, as requested
        tell(f"thinking: not sent, {why}")
    return None


def add_samplers(
    body: _Block, request: LLMRequest, takes: Takes, tell: Tell, *, none: bool, thinks: bool
) -> None:
    """Add `temperature`, `top_p` and `top_k`. `none`: the API's version accepts none of them."""
    given = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
    }
    for name, value in given.items():
        if value is None:
            continue
        if none:
            tell(name)
        elif takes.samplers == "none" or (name == "top_k" and not takes.top_k):
            tell(f"{name}: the model takes none")
        elif thinks:
            tell(f"{name}: not taken while the model thinks")
        elif name == "top_p" and takes.samplers == "one" and request.temperature is not None:
            tell("top_p: not taken beside temperature")
        elif name != "top_k" and value > 1:
            tell(f"{name}: sent as 1, the most that the API takes")
            body[name] = 1.0
        else:
            body[name] = value
