"""The actions that pages offer, by the name in `/act/NAME`."""

from typing import Any, Final, cast

from nexus_actors.dashboard.forms import (
    NODE,
    UNTIL,
    WHY,
    ActionForm,
    Field,
    FormError,
    Values,
    optional,
    ticked,
    until,
    whole,
)
from nexus_actors.dashboard.letter_forms import LETTER_FORMS
from nexus_actors.monitoring.actions import (
    LEVELS,
    SUBJECTS,
    Action,
    Drain,
    LogLevel,
    Pause,
    Resume,
    Scale,
)
from nexus_actors.monitoring.control import MOST_CONCURRENCIES
from nexus_actors.monitoring.interventions import Cancel, CancelWhere, Order
from nexus_actors.monitoring.reading import Reader

_SUBJECT: Final = Field(
    name="subject", label="What", kind="choice", choices=SUBJECTS, required=True, folds=True
)
_NAME: Final = Field(
    name="name",
    label="Name",
    hint="of models and agents a glob",
    required=True,
    longest=255,
    folds=True,
)
_A_NODE: Final = Field(name="node", label="Node", required=True, longest=255, folds=True)
_ACTOR: Final = Field(name="actor", label="Actor", required=True, longest=255, folds=True)
_PROVIDER: Final = Field(name="provider", label="Provider", required=True, longest=255, folds=True)
_NOW: Final = Field(
    name="now", label="Immediately, without waiting for an orderly end", kind="tick"
)


def _pause(values: Values) -> Action:
    fallback = ticked(values, "fallback")
    if fallback and values["subject"] not in ("provider", "model"):
        raise FormError("Fallback: expected it with a provider or a model")
    return Pause(
        subject=values["subject"],
        name=values["name"],
        until=until(values),
        why=optional(values, "why"),
        fallback=fallback,
        node=optional(values, "node"),
    )


def _resume(values: Values) -> Action:
    return Resume(subject=values["subject"], name=values["name"], node=optional(values, "node"))


def _scale(values: Values) -> Action:
    return Scale(
        provider=values["provider"],
        calls=whole(values, "calls", "Concurrent calls", least=1, most=9999),
        until=until(values),
        why=optional(values, "why"),
        node=optional(values, "node"),
    )


async def _present_calls(reader: Reader, values: Values, _by: str) -> Values:
    """Fill in the present limit of calls, if all nodes have the same."""
    rows = await reader.read("control_concurrency", MOST_CONCURRENCIES)
    wanted = (values.get("provider"), values.get("node"))
    calls = {
        it["calls"]
        for it in rows
        if it["provider"] == wanted[0] and wanted[1] in (None, "", it["node"], it["name"])
    }
    return {"calls": calls.pop()} if len(calls) == 1 else {}


def _drain(values: Values) -> Action:
    return Drain(node=values["node"], until=until(values), why=optional(values, "why"))


def _log_level(values: Values) -> Action:
    return LogLevel(
        level=optional(values, "level"),
        until=until(values),
        why=optional(values, "why"),
        node=optional(values, "node"),
    )


def _cancel(values: Values) -> Action:
    return Cancel(request_id=values["id"], why=optional(values, "why"))


def _cancel_where(values: Values) -> Action:
    minutes = whole(values, "minutes", "Minimum age in minutes", least=0, most=10**6)
    state: Any = values.get("state", "any")
    return CancelWhere(
        agent=optional(values, "agent"),
        provider=optional(values, "provider"),
        older_than=None if minutes is None else 60.0 * minutes,
        state=state,
        why=optional(values, "why"),
    )


def _order(action: str) -> Any:
    def make(values: Values) -> Action:
        return Order(
            node=values["node"],
            action=cast("Any", action),
            actor=values.get("actor", ""),
            now=ticked(values, "now"),
            why=optional(values, "why"),
        )

    return make


ACTION_FORMS: Final[dict[str, ActionForm]] = {
    "pause": ActionForm(
        title="Pause",
        fields=(
            _SUBJECT,
            _NAME,
            UNTIL,
            WHY,
            Field(
                name="fallback",
                label="Fallback: routes take their next model meanwhile (for a provider or model)",
                kind="tick",
            ),
            NODE,
        ),
        make=_pause,
    ),
    "resume": ActionForm(title="Resume", fields=(_SUBJECT, _NAME, NODE), make=_resume),
    "scale": ActionForm(
        title="Scale",
        fields=(
            _PROVIDER,
            Field(
                name="calls",
                label="Concurrent calls per node",
                kind="number",
                hint="1 to 9999",
                required=True,
                longest=4,
            ),
            UNTIL,
            WHY,
            NODE,
        ),
        make=_scale,
        fill=_present_calls,
    ),
    "unscale": ActionForm(
        title="Scale as the config says", fields=(_PROVIDER, WHY, NODE), make=_scale
    ),
    "drain": ActionForm(title="Drain", fields=(_A_NODE, UNTIL, WHY), make=_drain),
    "log-level": ActionForm(
        title="Set the log level",
        fields=(
            Field(
                name="level",
                label="Level",
                kind="choice",
                choices=("", *LEVELS),
                hint="empty: as the config says",
            ),
            UNTIL,
            WHY,
            NODE,
        ),
        make=_log_level,
    ),
    "cancel": ActionForm(
        title="Cancel",
        fields=(Field(name="id", label="Request", kind="hidden", required=True, longest=255), WHY),
        make=_cancel,
        is_dangerous=True,
        back="/requests",
    ),
    "cancel-where": ActionForm(
        title="Cancel many",
        fields=(
            Field(name="agent", label="Agent", longest=255),
            Field(
                name="provider",
                label="Provider",
                hint="requests that were leased and wait for room there",
                longest=255,
            ),
            Field(
                name="minutes",
                label="Minimum age in minutes",
                kind="number",
                longest=7,
            ),
            Field(
                name="state",
                label="State",
                kind="choice",
                choices=("any", "queued", "running"),
                required=True,
            ),
            WHY,
        ),
        make=_cancel_where,
        is_dangerous=True,
        back="/requests",
    ),
    "restart": ActionForm(
        title="Restart", fields=(_A_NODE, _ACTOR, _NOW, WHY), make=_order("restart"), back="/tree"
    ),
    "stop": ActionForm(
        title="Stop",
        fields=(_A_NODE, _ACTOR, WHY),
        make=_order("stop"),
        is_dangerous=True,
        back="/tree",
    ),
    "start": ActionForm(
        title="Start", fields=(_A_NODE, _ACTOR, WHY), make=_order("start"), back="/tree"
    ),
    **LETTER_FORMS,
    "reload": ActionForm(
        title="Reload", fields=(_A_NODE, WHY), make=_order("reload"), back="/control"
    ),
}
