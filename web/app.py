"""Builds the objects of a web process, bottom up. Nothing is built at import."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask_socketio import SocketIO

from shared import runtime
from shared.db.database import Database
from shared.db.runs.queue.admission import RunLimits
from shared.errors import SettingsError
from shared.event_log.clients import command_client, pubsub_client
from shared.event_log.gateway_notes import GatewayNotes
from shared.event_log.store import EventLog
from shared.file_limit import connections_that_fit
from shared.hermes.profiles import Profiles
from shared.metrics import web as web_metrics
from shared.metrics.process import metrics_of_process
from shared.protocol.events import NAMESPACE
from shared.service import Service, periodic
from shared.settings import Settings
from shared.task_queue import TaskQueue, celery_app
from shared.tracing.tracer import Tracer, tracer_of
from web.access.sign_in_codes import SignInCodes
from web.api.access import Access
from web.api.approvals import Approvals
from web.api.auth_session import AuthSession
from web.api.connect import ConnectHandler
from web.api.health import Health, add_routes, version
from web.api.http.api import add_api, build_routes
from web.api.http.parts import Parts
from web.api.http_runs import add_run_route
from web.api.request_auth import RequestAuth
from web.api.request_body import MAX_BYTES
from web.api.run_requests import RunRequests
from web.api.socket_events import SocketEvents
from web.api.waiting_places import WaitingPlaces
from web.front import Front
from web.measure import measure_requests, measure_web
from web.pages.built_page import BuiltPage
from web.pages.serve import add_info, add_page
from web.readers.reader_emitter import ReaderEmitter
from web.readers.readers import LEFT_LOOK_EVERY, Readers
from web.recovery.journal import RecoveryJournal
from web.recovery.offset_emitter import OffsetEmitter
from web.recovery.recovery import Recovery
from web.recovery.rejoin import Rejoin
from web.recovery.store import RecoveryStore
from web.relay.log_reader import LogReader
from web.relay.relay import Relay
from web.resume.membership import Membership
from web.resume.notices import Notices
from web.resume.resume import Resume
from web.resume.resync import Resync
from web.resume.session_reader import SessionReader
from web.server.client_faults import ClientFaults
from web.server.connection_table import ConnectionLimits, ConnectionTable
from web.server.forwarded import Forwarded, parse_networks
from web.server.origins import LOOPBACK_HOSTS, Origins
from web.sockets import json_codec
from web.sockets.connections import Connections
from web.sockets.drain import Drain
from web.sockets.emitter import Emitter
from web.sockets.engineio_internals import SocketServer
from web.sockets.rate_limit import OwnerLimits, RateLimit
from web.sockets.reconnect_backoff import ReconnectBackoff
from web.sockets.request_queue import RequestQueue, refusal_event
from web.sockets.slow_clients import SlowClients
from web.transport import engineio_socket
from web.transport.engineio_socket import Common
from web.transport.heartbeat import Heartbeat
from web.transport.websocket_loop import WebSocketLoop

PING_INTERVAL = 25  # seconds
PING_TIMEOUT = 20  # seconds
DEADLINES_EVERY = 1.0  # seconds
ANSWERS_WITHIN = 4.0  # seconds for requests over HTTP, after the drain

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class WebProcess:
    """What lives as long as the process."""

    wsgi: Wsgi
    table: ConnectionTable
    faults: ClientFaults
    body_max: int  # bytes of a request
    connections: Connections
    drain: Drain
    db: Database
    health: Health
    services: Sequence[Service]
    tracer: Tracer

    def start(self) -> None:
        """Start the services, those first that others need."""
        for service in self.services:
            service.start()

    def stop(self) -> None:
        """Close all connections, wait for answers that are under way, then stop the services in
        reverse and close the database."""
        self.drain.run()
        deadline = time.monotonic() + ANSWERS_WITHIN
        while self.table.is_answering() and time.monotonic() < deadline:
            time.sleep(0.02)
        for service in reversed(self.services):
            service.stop()
        self.tracer.stop()
        self.db.close()


def build(settings: Settings, profiles: Profiles) -> WebProcess:
    """A web process, not started. Raises IncompatibleLibrary and SettingsError."""
    db = Database(settings.database_url)
    commands = command_client(settings.redis_url)
    log_commands = [command_client(url) for url in settings.log_servers]
    event_log = EventLog(log_commands, settings.log_ttl, settings.installation)
    burst = settings.socket_queue_max // 2

    # Connections and what is queued on them.
    app = Flask("holdfast.web")
    socketio = _socketio(app, settings)
    server = SocketServer(socketio.server)
    loop = WebSocketLoop()
    faults = ClientFaults()
    connections_max = connections_that_fit(settings.connections_max)
    limits = ConnectionLimits(
        connections_max,
        settings.unauthenticated_max,
        settings.unauthenticated_per_address,
    )
    engineio_socket.install(
        server,
        Common(
            loop=loop,
            faults=faults,
            strangers=ConnectionTable(limits),
            unsent_max=settings.socket_unsent_max_bytes,
        ),
    )
    heartbeat = Heartbeat(server, loop)
    connections = Connections()
    backoff = ReconnectBackoff()
    slow_clients = SlowClients(
        server, settings.socket_queue_max, settings.socket_unsent_max_bytes, backoff
    )
    emitter = Emitter(server, connections, slow_clients)
    table = ConnectionTable(limits)

    def limit_connections() -> None:
        table.cut_overdue()
        loop.cut_largest(settings.unsent_max_bytes)

    limiter = periodic("connection-limits", limit_connections, DEADLINES_EVERY)

    # Events of runs, with offsets for the sockets that can be recovered.
    store = RecoveryStore(commands)
    readers = Readers(
        connections,
        backoff,
        per_owner=settings.sockets_per_owner,
        most_chunks=settings.socket_queue_max,
        most_bytes=settings.socket_unsent_max_bytes,
    )
    run_emitter = OffsetEmitter(emitter, store.trackers)
    all_emitter = ReaderEmitter(run_emitter, readers.by_sid)
    sessions = SessionReader(db, event_log)
    relay = Relay(
        event_log,
        log_commands,
        [pubsub_client(url) for url in settings.log_servers],
        all_emitter,
        resync=Resync(sessions, LogReader(event_log), all_emitter).send,
        announce_again=sessions.announce_again,
        burst=burst,
    )

    # Joining and coming back.
    membership = Membership(
        relay, sessions, RecoveryJournal(store), most=settings.sessions_per_socket
    )
    places = WaitingPlaces(db, event_log)
    resume = Resume(
        sessions=sessions,
        relay=relay,
        membership=membership,
        emitter=run_emitter,
        backoff=backoff,
        burst=burst,
        notices=Notices(GatewayNotes(commands).without_transcript).of,
        waits=places.note_shown,
    )
    services = [*loop.services, heartbeat.service, limiter, store.service, *relay.services]

    # What clients may ask for.
    queue = TaskQueue(celery_app(settings))
    tracer = tracer_of(settings, "web")
    services.append(places.service)
    requests = RunRequests(
        db=db,
        event_log=event_log,
        commands=commands,
        queue=queue,
        profiles=profiles,
        membership=membership,
        queue_cap=settings.queue_cap,
        session_max_bytes=settings.session_max_bytes,
        tracer=tracer,
        limits=RunLimits(settings.max_runs_per_user, settings.max_waiting_per_user),
        waiting_max=settings.waiting_max,
        places=places,
    )
    approvals = Approvals(db, event_log, queue)
    limits_of_owners = OwnerLimits(
        RateLimit(settings.owner_requests_per_second), RateLimit(settings.requests_per_second)
    )
    events = SocketEvents(requests, resume, approvals)
    request_queue = RequestQueue(
        server,
        connections,
        emitter,
        handlers=events.by_event(),
        refused=refusal_event,
        faults=faults,
        per_second=settings.requests_per_second,
        owners=limits_of_owners.requests,
    )
    request_queue.install()
    rejoin = Rejoin(
        sessions=sessions,
        relay=relay,
        membership=membership,
        resume=resume,
        store=store,
        run_emitter=run_emitter,
        sockets=emitter,
        burst=burst,
    )
    recovery = Recovery(store=store, rejoin=rejoin, requests=request_queue, connections=connections)
    recovery.install(server)
    forwarded = Forwarded(parse_networks(settings.trusted_proxies))
    origins = _origins(settings, forwarded)
    access = Access.build(settings, db, faults)
    auth = RequestAuth(access.authenticator, origins, forwarded, settings.installation)
    access.watch.add(connections.all, emitter.close)
    access.watch.add(readers.all, Readers.end)
    services += access.services
    services.append(periodic("readers-left", readers.nudge_those_that_left, LEFT_LOOK_EVERY))
    ConnectHandler(
        server=server,
        auth=auth,
        connections=connections,
        membership=membership,
        emitter=emitter,
        recovery=recovery,
        sockets_per_owner=settings.sockets_per_owner,
        faults=faults,
    ).install(socketio)
    health = Health(db, commands, relay.subscriber, services)
    add_routes(app, health)
    add_run_route(app, auth, requests, limits_of_owners)
    codes = SignInCodes(settings.auth_token, commands)
    sign_ins = AuthSession(auth, access.cookies, access.signed_out, codes, limits_of_owners)
    sign_ins.install(app)
    about = {"service": "holdfast", "version": version(), "namespace": NAMESPACE}
    add_page(app, BuiltPage.load(), about)
    info = {"version": version(), "demo_gateway": settings.demo_gateway}
    add_info(app, auth, limits_of_owners, info)
    parts = Parts(
        settings=settings,
        profiles=profiles,
        db=db,
        event_log=event_log,
        commands=commands,
        queue=queue,
        requests=requests,
        approvals=approvals,
        limits=limits_of_owners,
        connections=connections,
        health=health,
        relay=relay,
        membership=membership,
        sessions=sessions,
        readers=readers,
    )
    add_api(app, auth, limits_of_owners, build_routes(parts), profiles, version())
    measure_requests(app)
    measure_web(
        connections=connections,
        readers=readers,
        table=table,
        loop=loop,
        relay=relay,
        faults=faults,
    )
    services += metrics_of_process(settings, "web", [web_metrics.REGISTRY], services)
    drain = Drain(server, request_queue, settings.web_drain, readers.close_all)
    front = Front(
        app,
        server=server,
        drain=drain,
        origins=origins,
        forwarded=forwarded,
        faults=faults,
        sockets_max=connections_max,
    )
    return WebProcess(
        wsgi=front,
        table=table,
        faults=faults,
        body_max=max(settings.frame_max_bytes, MAX_BYTES),
        connections=connections,
        drain=drain,
        db=db,
        health=health,
        services=services,
        tracer=tracer,
    )


def _origins(settings: Settings, forwarded: Forwarded) -> Origins:
    try:
        return Origins(settings.cors_origins, _hosts(settings), forwarded)
    except ValueError as error:
        raise SettingsError([f"CORS_ORIGINS: {error}"]) from error


def _hosts(settings: Settings) -> tuple[str, ...]:
    """The host names that requests may name. Where no token is asked for, a page of any name that
    points to this machine could use it."""
    if settings.allowed_hosts or not settings.auth_disabled:
        return settings.allowed_hosts
    return (*LOOPBACK_HOSTS, settings.host)


def _errors_of(library: str) -> logging.Logger:
    """The library's own logger, for errors only: at other levels it writes what clients sent."""
    logger = logging.getLogger(library)
    logger.setLevel(logging.ERROR)
    return logger


def _socketio(app: Flask, settings: Settings) -> SocketIO:
    return SocketIO(
        app,
        async_mode=runtime.async_mode(),
        # `RequestQueue` returns at once and keeps the order of one socket's requests.
        async_handlers=False,
        always_connect=False,
        manage_session=False,
        # With `False` the libraries would write to stderr beside the log, and in no format.
        logger=_errors_of("socketio.server"),
        engineio_logger=_errors_of("engineio.server"),
        json=json_codec,
        max_http_buffer_size=settings.frame_max_bytes,
        ping_interval=PING_INTERVAL,
        ping_timeout=PING_TIMEOUT,
        transports=list(settings.transports),
        monitor_clients=False,  # `Heartbeat` does it
        cors_allowed_origins=[],  # `Front` has one rule for sockets and HTTP
    )
