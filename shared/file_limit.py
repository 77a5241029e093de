"""How many files a process may have open: connections are files, and the usual 1,024 are few."""

import logging
import resource

log = logging.getLogger(__name__)

RESERVED = 200  # files for databases, Redis, logs, and connections that are being refused
ENOUGH = 65_536  # more than the sockets of one web process; some systems have no limit at all


def raise_file_limit() -> int:
    """Raise the limit as far as the system lets this process, up to `ENOUGH`; what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (OSError, ValueError) as error:  # macOS has a lower one that it does not tell
            log.warning("files.limit_not_raised error=%s", error)
    return file_limit()


def connections_that_fit(wanted: int) -> int:
    """How many of so many connections this process may have: others need files as well."""
    return max(10, min(wanted, file_limit() - RESERVED))


def file_limit() -> int:
    """The limit as it is."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft
