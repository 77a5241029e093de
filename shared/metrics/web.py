"""What web processes measure: clients, the relay, requests."""

from typing import Final

from shared.metrics.instruments import REQUESTS, SHORT, Registry

REGISTRY: Final = Registry("web")

SOCKETS: Final = REGISTRY.observed_gauge("holdfast_sockets", "Connected sockets of clients.")
READERS: Final = REGISTRY.observed_gauge(
    "holdfast_readers", "Event streams that are open over HTTP."
)
CONNECTIONS: Final = REGISTRY.observed_gauge(
    "holdfast_connections", "TCP connections from clients."
)
FEEDS: Final = REGISTRY.observed_gauge(
    "holdfast_relay_feeds", "Sessions that clients of this process watch."
)
UNSENT: Final = REGISTRY.observed_gauge(
    "holdfast_unsent_bytes", "Bytes that wait for clients to read them."
)
TOO_SLOW: Final = REGISTRY.counter(
    "holdfast_clients_too_slow_total",
    "Clients that were dropped since they read too slowly; kind: socket, reader.",
    "kind",
)
for _kind in ("socket", "reader"):
    TOO_SLOW.labels(_kind)  # 0 until one was
CLIENT_FAULTS: Final = REGISTRY.observed_counter(
    "holdfast_client_faults_total", "What clients did wrong, by kind.", "kind"
)
CUT: Final = REGISTRY.observed_counter(
    "holdfast_connections_cut_total",
    "Connections that were cut; why: room (for others), late (over their time).",
    "why",
)
ACCEPTED: Final = REGISTRY.counter(
    "holdfast_runs_accepted_total", "Runs that were accepted.", "profile"
)
REFILLS: Final = REGISTRY.observed_counter(
    "holdfast_relay_refills_total",
    "Gaps: how often a log was read since a notification was missing.",
)
RESYNCS: Final = REGISTRY.counter(
    "holdfast_relay_resyncs_total",
    "How often the members of a session were sent all of it anew.",
)
RECONNECTS: Final = REGISTRY.observed_counter(
    "holdfast_relay_reconnects_total", "Lost pub/sub connections to Redis."
)
RELAY_LAG: Final = REGISTRY.histogram(
    "holdfast_relay_lag_seconds",
    "How long a notification takes through Redis and back, measured every two seconds.",
    buckets=SHORT,
)
HTTP: Final = REGISTRY.histogram(
    "http_server_request_duration_seconds",
    "Requests over HTTP until their answer begins (OpenTelemetry: http.server.request.duration).",
    "http_request_method",
    "http_route",
    "http_response_status_code",
    buckets=REQUESTS,
)
