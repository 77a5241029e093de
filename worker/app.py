"""Builds the objects of a worker process. Nothing is built at import."""

import os
import socket
import uuid

from shared.db.database import Database
from shared.db.runs.lease import connect
from shared.db.runs.ownership import still_owned
from shared.event_log.clients import command_client
from shared.event_log.gateway_notes import GatewayNotes
from shared.event_log.store import EventLog
from shared.hermes.profiles import Profiles
from shared.settings import Settings
from shared.task_queue import TaskQueue, celery_app
from shared.tracing.tracer import tracer_of
from worker.event_log.publisher import Publisher
from worker.event_log.run_log import RunLog
from worker.event_log.sharded_publisher import ShardedPublisher
from worker.gateway.client_pool import ClientPool
from worker.gateway.transcript_check import TranscriptCheck
from worker.lease.keeper import LeaseKeeper
from worker.lease.start_gate import StartGate
from worker.services import Services
from worker.turn import Turn


def build(settings: Settings) -> Services:
    """The services of the process, not yet started."""
    db = Database(settings.database_url)
    event_log = EventLog(
        [command_client(url) for url in settings.log_servers],
        settings.log_ttl,
        settings.installation,
    )
    turns: dict[str, Turn] = {}
    gateways = ClientPool(Profiles.load(settings), settings)

    def owns(run_log: RunLog) -> bool:
        turn = turns.get(run_log.keys.run_id)
        return (
            turn is not None
            and turn.run_log is run_log
            and db.single(lambda tx: still_owned(tx, turn.claim))
        )

    leases = LeaseKeeper(
        lambda: connect(settings.database_url), settings.lease, settings.renew_every
    )
    return Services(
        settings=settings,
        name=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}",
        db=db,
        event_log=event_log,
        queue=TaskQueue(celery_app(settings)),
        gateways=gateways,
        publisher=ShardedPublisher(
            event_log,
            lambda part: Publisher(
                part,
                owns,
                interval=settings.flush_interval,
                checkpoint_bytes=settings.checkpoint_bytes,
                refresh_every=settings.log_ttl / 4,
            ),
        ),
        leases=leases,
        starts=StartGate(leases, settings.lease.total_seconds()),
        turns=turns,
        tracer=tracer_of(settings, "worker"),
        transcripts=TranscriptCheck(gateways, GatewayNotes(command_client(settings.redis_url))),
    )
