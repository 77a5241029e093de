"""Publishes the events of a session, which are hints without a seq: `resumed` has it all (P14)."""

import logging
from typing import Any

from shared.errors import RedisUnavailable
from shared.event_log.keys import feed_tag
from shared.event_log.store import EventLog
from shared.protocol.events import Payload, session_notification

log = logging.getLogger(__name__)


def publish_session_event(
    event_log: EventLog,
    name: str,
    *,
    owner: str,
    session_id: str | None,
    run_id: str | None = None,
    **fields: Any,
) -> bool:
    """Send the event `name` to every socket that watches the session, or, of a run without
    session, the run. `session_id` and `run_id` go into the payload when they are given.

    False, with a log line, when Redis does not answer: nobody needs the event to go on.
    """
    payload: Payload = {"event": name}
    if session_id is not None:
        payload["session_id"] = session_id
    if run_id is not None:
        payload["run_id"] = run_id
    tag = feed_tag(owner, session_id, run_id or "")
    try:
        event_log.notify(tag, session_notification(name, {**payload, **fields}))
    except RedisUnavailable as error:
        log.info("session_event.unpublished event=%s error=%s", name, type(error).__name__)
        return False
    return True
