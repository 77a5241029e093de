"""Logging of a process: named events with fields, one line each, to standard error."""

import logging
import sys


def configure(role: str, level: str) -> None:
    """Set up the root logger for a process of this role. `level`: a name, as in LOG_LEVEL."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter(f"%(asctime)s %(levelname)s {role} %(name)s %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in (
        "kombu",
        "celery.worker.strategy",
        "celery.app.trace",
        "urllib3",
        "amqp",
        "celery.beat",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
