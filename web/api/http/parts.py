"""What the handlers of the HTTP API need of a web process."""

from dataclasses import dataclass

from shared.db.database import Database
from shared.event_log.clients import Commands
from shared.event_log.store import EventLog
from shared.hermes.profiles import Profiles
from shared.settings import Settings
from shared.task_queue import TaskQueue
from web.api.approvals import Approvals
from web.api.health import Health
from web.api.run_requests import RunRequests
from web.readers.readers import Readers
from web.relay.relay import Relay
from web.resume.membership import Membership
from web.resume.session_reader import SessionReader
from web.sockets.connections import Connections
from web.sockets.rate_limit import OwnerLimits


@dataclass(frozen=True)
class Parts:
    """The parts, as `web/app.py` has built them."""

    settings: Settings
    profiles: Profiles
    db: Database
    event_log: EventLog
    commands: Commands
    queue: TaskQueue
    requests: RunRequests
    approvals: Approvals
    limits: OwnerLimits
    connections: Connections
    health: Health
    relay: Relay
    membership: Membership
    sessions: SessionReader
    readers: Readers
