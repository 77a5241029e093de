"""The hourly job that deletes what is older than the settings allow (shared/retention.py)."""

import logging
from collections.abc import Mapping
from contextlib import closing

from shared.delete_session import SessionDeleter
from shared.errors import Unavailable
from shared.event_log.clients import command_client
from shared.retention import Policy, Retention
from worker.services import Services

log = logging.getLogger(__name__)


def clean_up(services: Services) -> Mapping[str, int]:
    """Delete it, for some minutes at most; return how much of each kind. Raises Unavailable, after
    a line in the log: the next hour goes on."""
    settings = services.settings
    with closing(command_client(settings.redis_url, connections=2)) as commands:
        deleter = SessionDeleter(services.db, services.event_log, commands, services.queue)
        try:
            retention = Retention(services.db, deleter, Policy.of(settings))
            return retention.clean_up(stopping=lambda: services.draining)
        except Unavailable as error:
            log.warning("retention.waiting error=%s", type(error).__name__)
            raise
