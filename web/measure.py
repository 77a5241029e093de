"""Connects the metrics of a web process with the objects that know their values."""

import time
from collections.abc import Mapping

from flask import Flask, Response, g, request

from shared.metrics import web as metrics
from web.readers.readers import Readers
from web.relay.relay import Relay
from web.server.client_faults import ClientFaults
from web.server.connection_table import ConnectionTable
from web.sockets.connections import Connections
from web.transport.websocket_loop import WebSocketLoop

NO_ROUTE = "none"  # a path that no route has: its own text would be a label of anybody's choice


def measure_web(
    *,
    connections: Connections,
    readers: Readers,
    table: ConnectionTable,
    loop: WebSocketLoop,
    relay: Relay,
    faults: ClientFaults,
) -> None:
    """Have the metrics read these objects from now on."""
    metrics.SOCKETS.value_from(lambda: len(connections) - len(readers.by_sid))
    metrics.READERS.value_from(lambda: len(readers.by_sid))
    metrics.CONNECTIONS.value_from(lambda: len(table))
    metrics.UNSENT.value_from(lambda: loop.held)
    metrics.FEEDS.value_from(lambda: len(relay.feeds))
    metrics.REFILLS.value_from(lambda: relay.refills)
    metrics.RECONNECTS.value_from(
        lambda: sum(shard.reconnects for shard in relay.subscriber.shards)
    )
    metrics.CLIENT_FAULTS.read_from(lambda: {(kind,): n for kind, n in faults.counts.items()})
    metrics.CUT.read_from(lambda: _cut(table))


def _cut(table: ConnectionTable) -> Mapping[tuple[str, ...], float]:
    return {("room",): table.cut_for_room, ("late",): table.cut_late}


def measure_requests(app: Flask) -> None:
    """Time the requests of this application until their answers begin."""

    def began() -> None:
        g.began = time.perf_counter()

    def ended(response: Response) -> Response:
        seconds = time.perf_counter() - g.pop("began", time.perf_counter())
        route = request.url_rule.rule if request.url_rule is not None else NO_ROUTE
        method = request.method if request.method in METHODS else "_OTHER"
        metrics.HTTP.labels(method, route, str(response.status_code)).observe(seconds)
        return response

    app.before_request(began)
    app.after_request(ended)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
