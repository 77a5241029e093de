"""What workers measure: runs, the gateways, the event log. Maintenance has the gateways, too."""

from typing import Final

from shared.metrics.instruments import REQUESTS, RUNS, SHORT, TOKENS, Registry

REGISTRY: Final = Registry("worker, maintenance")

LIVE: Final = REGISTRY.observed_gauge("holdfast_worker_runs", "Live runs of this worker.")
SLOTS: Final = REGISTRY.observed_gauge(
    "holdfast_worker_slots",
    "How many runs this worker takes at once; kind: start, takeover (those that only runs of dead"
    " workers get).",
    "kind",
)
DRAINING: Final = REGISTRY.observed_gauge(
    "holdfast_worker_draining", "1 while the worker is to stop and takes no new runs."
)
LEASE_REMAINING: Final = REGISTRY.observed_gauge(
    "holdfast_lease_remaining_seconds",
    "What is left of the lease of this worker that ends first; no value without a live run.",
)
APPROVALS: Final = REGISTRY.observed_gauge(
    "holdfast_approvals_open", "Questions of the agent that nobody has answered.", "profile"
)
WAIT: Final = REGISTRY.histogram(
    "holdfast_run_wait_seconds",
    "From acceptance to the first claim of a run.",
    "profile",
    buckets=RUNS,
)
FIRST_TOKEN: Final = REGISTRY.histogram(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    "From acceptance to the first token of a run"
    " (OpenTelemetry: gen_ai.client.operation.time_to_first_chunk).",
    "profile",
    buckets=RUNS,
)
DURATION: Final = REGISTRY.histogram(
    "gen_ai_client_operation_duration_seconds",
    "From acceptance to the end of a run; error_type: reason of a failure, else empty"
    " (OpenTelemetry: gen_ai.client.operation.duration).",
    "profile",
    "error_type",
    buckets=RUNS,
)
TOKEN_USAGE: Final = REGISTRY.histogram(
    "gen_ai_client_token_usage",
    "Tokens of a run, as the gateway counted them; gen_ai_token_type: input, output"
    " (OpenTelemetry: gen_ai.client.token.usage).",
    "profile",
    "gen_ai_token_type",
    buckets=TOKENS,
)
ENDED: Final = REGISTRY.counter(
    "holdfast_runs_ended_total",
    "Ends of runs; reason: empty for a run that completed.",
    "profile",
    "state",
    "reason",
)
TAKEOVERS: Final = REGISTRY.counter(
    "holdfast_takeovers_total", "Runs that were taken over from an owner whose lease lapsed."
)
PUT_BACK: Final = REGISTRY.counter(
    "holdfast_runs_put_back_total",
    "Runs that went back to the queue, since the gateway could not take them.",
    "reason",
)
FENCED: Final = REGISTRY.counter(
    "holdfast_fenced_writes_total",
    "Writes of this worker that Redis refused, since the run has another owner.",
)
DOUBLE_POSTS: Final = REGISTRY.counter(
    "holdfast_double_posts_total",
    "POSTs of this worker that were one too many, since the run has another owner.",
)
REINSTALLS: Final = REGISTRY.counter(
    "holdfast_log_reinstalls_total", "Event logs that Redis had lost and that were written again."
)
FLUSH: Final = REGISTRY.histogram(
    "holdfast_publisher_flush_seconds",
    "One write of all waiting events to one Redis server.",
    buckets=SHORT,
)
PENDING_LOGS: Final = REGISTRY.observed_gauge(
    "holdfast_publisher_pending_runs", "Runs whose events wait to be written to Redis."
)
COMPRESSIONS: Final = REGISTRY.counter(
    "holdfast_compressions_total", "Summaries of older turns, by their result.", "result"
)
GATEWAY: Final = REGISTRY.histogram(
    "http_client_request_duration_seconds",
    "Requests to gateways, without event streams; http_response_status_code: empty without an"
    " answer (OpenTelemetry: http.client.request.duration).",
    "profile",
    "http_request_method",
    "http_response_status_code",
    buckets=REQUESTS,
)
STOOD_IN: Final = REGISTRY.counter(
    "holdfast_reaper_stood_in_total",
    "Ticks of the reaper that this worker did, since beat or maintenance did not.",
)
