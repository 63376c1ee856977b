"""Every metric family of `/metrics`: name, kind, labels and meaning. Nothing else is exposed;
docs/metrics.md shows the same table.

Names and labels do not change, because other people's dashboards and alerts use them. Labels have
few values: providers and budgets come from the config, models from the config and the price list,
all others are fixed words.
"""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family. A counter's name ends with `_total`, like its samples'."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


def _family(name: str, kind: Kind, labels: str, meaning: str) -> Family:
    return Family(name, kind, tuple(labels.split()), meaning)


REQUESTS: Final = (
    _family(
        "nexus_requests_total",
        "counter",
        "provider model outcome",
        "Finished requests whose result is stored, by outcome: ok, or the error's name",
    ),
    _family(
        "nexus_request_seconds",
        "histogram",
        "",
        "Time from a request's first lease to its outcome, waits in the queue included",
    ),
    _family(
        "nexus_stage_seconds",
        "histogram",
        "stage",
        "Time per stage: queue_wait (sent to first lease), admission (first lease to first"
        " call), call (each call), publish (outcome to stored)",
    ),
    _family(
        "nexus_objective_requests_total",
        "counter",
        "within",
        "Finished requests, by whether they finished within two seconds of their first lease",
    ),
    _family(
        "nexus_objective_ratio",
        "gauge",
        "",
        "Share of the last hour's finished requests that met the two seconds",
    ),
    _family(
        "nexus_in_flight_requests",
        "gauge",
        "place",
        "Requests leased by this process, by where they are",
    ),
    _family(
        "nexus_work_memory_left_bytes",
        "gauge",
        "",
        "What is left of [queue] memory_megabytes; at 0 nothing is leased",
    ),
    _family("nexus_leases_lost_total", "counter", "", "Requests in work whose lease was lost"),
)
CALLS: Final = (
    _family(
        "nexus_calls_total",
        "counter",
        "provider outcome",
        "Finished calls to providers, retries included, by outcome",
    ),
    _family("nexus_call_seconds", "histogram", "provider", "Duration of a call"),
    _family(
        "nexus_first_text_seconds",
        "histogram",
        "provider",
        "Time until the first text of a streamed answer",
    ),
    _family("nexus_retries_total", "counter", "provider", "Calls other than their request's first"),
    _family("nexus_throttled_total", "counter", "provider", "Calls answered with HTTP 429"),
    _family(
        "nexus_tokens_total",
        "counter",
        "provider model direction",
        "Tokens of answered calls: input, and output including reasoning",
    ),
    _family(
        "nexus_cached_tokens_total",
        "counter",
        "provider model",
        "Input tokens read from the provider's cache",
    ),
    _family(
        "nexus_reasoning_tokens_total",
        "counter",
        "provider model",
        "Output tokens spent on reasoning",
    ),
    _family(
        "nexus_cost_dollars_total",
        "counter",
        "provider model basis",
        "Cost of calls, by where the figure comes from: told (by the provider), list (a"
        " price list)",
    ),
    _family(
        "nexus_unpriced_calls_total",
        "counter",
        "provider model why",
        "Calls of unknown cost: partial (a price is missing), unknown, maybe_paid (no"
        " answer arrived)",
    ),
)
PROVIDERS: Final = (
    _family(
        "nexus_provider_workers", "gauge", "provider", "Workers: the maximum of concurrent calls"
    ),
    _family(
        "nexus_provider_concurrency_limit",
        "gauge",
        "provider",
        "Concurrent calls allowed at present (adaptive)",
    ),
    _family("nexus_provider_running", "gauge", "provider", "Requests held by workers"),
    _family(
        "nexus_provider_waiting",
        "gauge",
        "provider",
        "Requests in the provider's queue in this process",
    ),
    _family(
        "nexus_circuits",
        "gauge",
        "provider state",
        "Models whose circuit is not closed: open, or half_open",
    ),
    _family(
        "nexus_throttled_models",
        "gauge",
        "provider",
        "Models not called at present because of a 429",
    ),
    _family("nexus_keys", "gauge", "provider state", "Keys: usable, or suspended"),
)
DATABASE: Final = (
    _family(
        "nexus_database_up",
        "gauge",
        "",
        "1 if the database answered the last time it was asked, else 0",
    ),
    _family(
        "nexus_database_counted",
        "gauge",
        "",
        "1 if this scrape has the database's numbers; 0 if it is away or too slow",
    ),
    _family(
        "nexus_notifications_connected",
        "gauge",
        "",
        "1 if the database's notifications arrive; at 0 the queues are polled",
    ),
    _family(
        "nexus_queue_messages", "gauge", "queue", "Messages: requests, results, dead (letters)"
    ),
    _family("nexus_queue_visible_messages", "gauge", "queue", "Messages that may be leased now"),
    _family(
        "nexus_queue_oldest_age_seconds",
        "gauge",
        "queue",
        "Time since the oldest visible message became due; 0 if there is none",
    ),
    _family(
        "nexus_waiting_requests",
        "gauge",
        "reason",
        "Requests that were leased before and wait, by reason",
    ),
    _family("nexus_budget_limit_dollars", "gauge", "budget", "Limit of the current day or month"),
    _family("nexus_budget_spent_dollars", "gauge", "budget", "Spent in the current day or month"),
    _family(
        "nexus_budget_reserved_dollars", "gauge", "budget", "Maximum cost of the calls in progress"
    ),
    _family("nexus_nodes", "gauge", "state", "Nodes on this queue, by state, lost included"),
    _family(
        "nexus_pruning_age_seconds", "gauge", "", "Time since a node completed a round of pruning"
    ),
)
SERVICE: Final = (
    _family("nexus_node_info", "info", "name id version python", "This process"),
    _family("nexus_state", "gauge", "state", "1 for the current state of the service, else 0"),
    _family("nexus_paused", "gauge", "subject", "Pauses set by operators, by subject"),
    _family("nexus_outage", "gauge", "name", "1 for each cause of the state degraded"),
    _family("nexus_spool_answers", "gauge", "", "Answers in the spool, not yet published"),
    _family("nexus_spool_bytes", "gauge", "", "Size of the spool file"),
    _family(
        "nexus_spans_total",
        "counter",
        "outcome",
        "Trace spans, if tracing is on: sent, dropped (buffer full), failed",
    ),
    _family("nexus_reloads_total", "counter", "outcome", "Config reloads: ok, or refused"),
)
RUNTIME: Final = (
    _family("nexus_restarts_total", "counter", "actor", "Actor restarts, by kind of actor"),
    _family(
        "nexus_mailbox_messages",
        "gauge",
        "actor",
        "Messages in the fullest mailbox of each kind of actor",
    ),
    _family("nexus_tasks", "gauge", "", "Live tasks"),
    _family(
        "nexus_loop_lag_seconds",
        "histogram",
        "",
        "How late the event loop wakes a sleeping task, sampled four times a second",
    ),
    _family(
        "nexus_loop_blocked_total",
        "counter",
        "cause",
        "Times that no actor could run for half a second or longer",
    ),
    _family("nexus_loop_blocked_seconds_total", "counter", "cause", "Total time of these"),
)
PROCESS: Final = (
    _family("process_cpu_seconds_total", "counter", "", "CPU time, user and system"),
    _family("process_resident_memory_bytes", "gauge", "", "Resident memory (RSS)"),
    _family("process_virtual_memory_bytes", "gauge", "", "Virtual memory"),
    _family("process_start_time_seconds", "gauge", "", "Start time of the process since 1970"),
    _family("process_open_fds", "gauge", "", "Open file descriptors"),
    _family("process_max_fds", "gauge", "", "Limit of open file descriptors"),
)
ALL: Final = (*REQUESTS, *CALLS, *PROVIDERS, *DATABASE, *SERVICE, *RUNTIME, *PROCESS)
BY_NAME: Final = {it.name: it for it in ALL}
