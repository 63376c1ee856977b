"""Every family of metrics that `/metrics` has: its name, kind, labels and meaning. One table;
nothing is exposed that does not stand in it, and docs/metrics.md shows it.

Names and labels do not change: dashboards and alerts of others go by them. Labels are few:
providers and budgets are the config's, models the config's and the price list's, all others words
of ours.
"""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Family:
    """One of them. A counter's name ends with `_total`, as its samples' do."""

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
        "Requests that ended and whose end is stored, by outcome: ok, or the error's name",
    ),
    _family(
        "nexus_request_seconds",
        "histogram",
        "",
        "Seconds from a request's first lease to its outcome, waits in the queue between included",
    ),
    _family(
        "nexus_stage_seconds",
        "histogram",
        "stage",
        "Seconds of a stage: queue_wait (sent to first lease), admission (first lease to first"
        " call), call (each call), publish (outcome to stored)",
    ),
    _family(
        "nexus_objective_requests_total",
        "counter",
        "within",
        "Requests that ended, by whether they did within two seconds of their first lease",
    ),
    _family(
        "nexus_objective_ratio",
        "gauge",
        "",
        "Share of the requests that kept to the two seconds, of those that ended in the last hour",
    ),
    _family(
        "nexus_in_flight_requests",
        "gauge",
        "place",
        "Requests of which this process holds a lease, by where they are",
    ),
    _family(
        "nexus_work_memory_left_bytes",
        "gauge",
        "",
        "What is left of [queue] memory_megabytes; nothing is leased at 0",
    ),
    _family("nexus_leases_lost_total", "counter", "", "Requests in work whose lease was lost"),
)
CALLS: Final = (
    _family(
        "nexus_calls_total",
        "counter",
        "provider outcome",
        "Calls to providers that ended, retries included, by outcome",
    ),
    _family("nexus_call_seconds", "histogram", "provider", "Seconds of one call"),
    _family(
        "nexus_first_text_seconds",
        "histogram",
        "provider",
        "Seconds of a call until the first text of its answer, where it was streamed",
    ),
    _family(
        "nexus_retries_total", "counter", "provider", "Calls that were not their request's first"
    ),
    _family(
        "nexus_throttled_total", "counter", "provider", "Calls that were answered: later (HTTP 429)"
    ),
    _family(
        "nexus_tokens_total",
        "counter",
        "provider model direction",
        "Tokens of answers: input, and output, thoughts included",
    ),
    _family(
        "nexus_cached_tokens_total",
        "counter",
        "provider model",
        "Tokens of input that were read from the provider's cache",
    ),
    _family(
        "nexus_reasoning_tokens_total",
        "counter",
        "provider model",
        "Tokens of output that were thoughts",
    ),
    _family(
        "nexus_cost_dollars_total",
        "counter",
        "provider model basis",
        "US dollars that calls have cost, by where the figure comes from: told (by the provider),"
        " list (a list of prices)",
    ),
    _family(
        "nexus_unpriced_calls_total",
        "counter",
        "provider model why",
        "Calls of which nobody knows what they cost: partial (the list lacks a price), unknown,"
        " maybe_paid (no answer arrived)",
    ),
)
PROVIDERS: Final = (
    _family("nexus_provider_workers", "gauge", "provider", "Workers: calls at once at most"),
    _family(
        "nexus_provider_concurrency_limit",
        "gauge",
        "provider",
        "Calls at once that the provider bears, as far as was found out",
    ),
    _family("nexus_provider_running", "gauge", "provider", "Requests that its workers have"),
    _family("nexus_provider_waiting", "gauge", "provider", "Requests in its queue in this process"),
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
        "Models that are not called for a while, since the provider said: later",
    ),
    _family("nexus_keys", "gauge", "provider state", "Keys: usable, or suspended"),
)
DATABASE: Final = (
    _family(
        "nexus_database_up",
        "gauge",
        "",
        "1 if the database has answered when it was asked last; else 0",
    ),
    _family(
        "nexus_database_counted",
        "gauge",
        "",
        "1 if this scrape has what only the database knows; 0 if it is absent: away, or too slow",
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
        "Seconds since the longest visible message became visible (due); 0 where none is",
    ),
    _family(
        "nexus_waiting_requests",
        "gauge",
        "reason",
        "Requests that were leased once and wait, by what for",
    ),
    _family("nexus_budget_limit_dollars", "gauge", "budget", "US dollars of a day or month"),
    _family("nexus_budget_spent_dollars", "gauge", "budget", "US dollars spent in it so far"),
    _family(
        "nexus_budget_reserved_dollars",
        "gauge",
        "budget",
        "US dollars that calls under way may cost at most",
    ),
    _family("nexus_nodes", "gauge", "state", "Nodes on this queue, by state; lost is one of them"),
    _family(
        "nexus_pruning_age_seconds",
        "gauge",
        "",
        "Seconds since a node has completed a round of pruning",
    ),
)
SERVICE: Final = (
    _family("nexus_node_info", "info", "name id version python", "This process"),
    _family("nexus_state", "gauge", "state", "1 for the state that the service is in, else 0"),
    _family("nexus_paused", "gauge", "subject", "Pauses that operators have set, by what of"),
    _family("nexus_outage", "gauge", "name", "1 for each cause for which the state is degraded"),
    _family("nexus_spool_answers", "gauge", "", "Answers in the spool that are not published"),
    _family("nexus_spool_bytes", "gauge", "", "What the spool's file takes"),
    _family(
        "nexus_spans_total",
        "counter",
        "outcome",
        "Spans of traces, where there are some: sent, dropped (too many waited), failed",
    ),
    _family("nexus_reloads_total", "counter", "outcome", "Reloads of the config: ok, or refused"),
)
RUNTIME: Final = (
    _family("nexus_restarts_total", "counter", "actor", "Restarts of actors, by their kind"),
    _family(
        "nexus_mailbox_messages",
        "gauge",
        "actor",
        "Messages in the fullest mailbox of each kind of actor",
    ),
    _family("nexus_tasks", "gauge", "", "Tasks that live"),
    _family(
        "nexus_loop_lag_seconds",
        "histogram",
        "",
        "How late the loop wakes a task that sleeps, looked at four times a second",
    ),
    _family(
        "nexus_loop_blocked_total",
        "counter",
        "cause",
        "How often no actor could run for half a second or longer",
    ),
    _family("nexus_loop_blocked_seconds_total", "counter", "cause", "For how long"),
)
PROCESS: Final = (
    _family("process_cpu_seconds_total", "counter", "", "Seconds of CPU, user and system"),
    _family("process_resident_memory_bytes", "gauge", "", "Memory that is resident (RSS)"),
    _family("process_virtual_memory_bytes", "gauge", "", "Memory that is mapped"),
    _family("process_start_time_seconds", "gauge", "", "When the process began, since 1970"),
    _family("process_open_fds", "gauge", "", "Open file descriptors"),
    _family("process_max_fds", "gauge", "", "The most that there may be"),
)
ALL: Final = (*REQUESTS, *CALLS, *PROVIDERS, *DATABASE, *SERVICE, *RUNTIME, *PROCESS)
BY_NAME: Final = {it.name: it for it in ALL}
