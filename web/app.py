"""Builds the parts of a web process. Nothing is built at import."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask_socketio import SocketIO

from shared.db.database import Database
from shared.event_log.clients import command_client, pubsub_client
from shared.event_log.store import EventLog
from shared.hermes.profiles import Profiles
from shared.settings import Settings
from shared.task_queue import TaskQueue, celery_app
from web.api.approvals import Approvals
from web.api.connect import ConnectHandler
from web.api.health import Health, add_routes
from web.api.http_runs import add_run_route
from web.api.run_requests import RunRequests
from web.api.socket_events import SocketEvents
from web.auth import Authenticator
from web.recovery.recovery import Recovery
from web.recovery.store import RecoveryStore
from web.relay.relay import Relay
from web.resume.membership import Membership
from web.resume.resume import Resume
from web.sockets import json_codec
from web.sockets.connections import Connections
from web.sockets.drain import Drain, is_new_client
from web.sockets.emitter import Emitter
from web.sockets.engineio_internals import SocketServer
from web.sockets.request_queue import RequestQueue, refusal_event
from web.transport import engineio_socket
from web.transport.heartbeat import Heartbeat
from web.transport.websocket_loop import WebSocketLoop

PING_INTERVAL = 25  # seconds
PING_TIMEOUT = 20  # seconds
SOCKETS_MAX = 20_000

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class WebProcess:
    """The parts that live as long as the process."""

    wsgi: Wsgi
    relay: Relay
    socketio: SocketIO
    connections: Connections
    emitter: Emitter
    db: Database
    records: RecoveryStore
    drain: Drain
    wires: WebSocketLoop
    heartbeat: Heartbeat

    def start(self) -> None:
        """Begin to listen to Redis."""
        self.wires.start()
        self.heartbeat.start()
        self.relay.start()
        self.records.start()

    def stop(self) -> None:
        """Send the clients elsewhere, then close what is open."""
        self.drain.run()
        self.relay.stop()
        self.records.stop()
        self.db.close()


def build(settings: Settings, profiles: Profiles) -> WebProcess:
    """A web process, not started."""
    db = Database(settings.database_url)
    commands = command_client(settings.redis_url)
    log_commands = [command_client(url) for url in settings.log_servers]
    event_log = EventLog(log_commands, settings.log_ttl)
    app = Flask("holdfast.web")
    socketio = _socketio(app, settings)
    wires = WebSocketLoop()
    server = SocketServer(socketio.server)
    engineio_socket.install(server, wires)
    heartbeat = Heartbeat(server, wires)
    connections = Connections()
    emitter = Emitter(server, connections, settings.socket_queue_max)
    burst = settings.socket_queue_max // 2
    subscribers = [pubsub_client(url) for url in settings.log_servers]
    records = RecoveryStore(commands)
    relay = Relay(
        event_log, log_commands, subscribers, emitter, burst=burst, standings=records.standings
    )
    rooms = Membership(relay, db, records)
    resume = Resume(db, event_log, relay, rooms, emitter, burst, emitter.pacing)
    relay.resync = resume.resync
    queue = TaskQueue(celery_app(settings))
    requests = RunRequests(
        db,
        event_log,
        commands,
        queue,
        profiles,
        rooms,
        settings.queue_cap,
    )
    handlers = SocketEvents(requests, resume, Approvals(db, event_log, queue)).by_event()
    lane = RequestQueue(server, connections, emitter, handlers, refusal_event)
    lane.install()
    recovery = Recovery(db, relay, rooms, resume, records, lane, connections, emitter, burst)
    recovery.install(server)
    authenticator = Authenticator(settings)
    ConnectHandler(socketio, server, authenticator, connections, rooms, emitter, recovery)
    add_routes(app, Health(db, commands, relay))
    add_run_route(app, authenticator, requests)
    drain = Drain(server, lane, settings.web_drain)
    wsgi = _front(app, server, drain)
    return WebProcess(
        wsgi, relay, socketio, connections, emitter, db, records, drain, wires, heartbeat
    )


def _socketio(app: Flask, settings: Settings) -> SocketIO:
    return SocketIO(
        app,
        async_mode="eventlet",
        # The request lane returns at once and keeps the order of one socket's requests.
        async_handlers=False,
        always_connect=False,
        manage_session=False,
        logger=False,
        engineio_logger=False,
        json=json_codec,
        max_http_buffer_size=settings.frame_max_bytes,
        ping_interval=PING_INTERVAL,
        ping_timeout=PING_TIMEOUT,
        transports=list(settings.transports),
        monitor_clients=False,  # `Heartbeat` does it
        # None is python-engineio's "same origin"; an empty list would be "any".
        cors_allowed_origins=list(settings.cors_origins) or None,
    )


def _front(app: Wsgi, server: SocketServer, drain: Drain) -> Wsgi:
    """What every HTTP request passes first."""

    def front(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # permessage-deflate costs 256 KB per socket and a compression per frame.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        full = len(server.connection_ids()) >= SOCKETS_MAX
        if is_new_client(environ) and (full or drain.leaving):
            start_response("503 Service Unavailable", [("Connection", "close")])
            return [b""]
        return app(environ, start_response)

    return front
