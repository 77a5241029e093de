"""The doctor's checks of what strangers can do: open connections, guess tokens."""

from collections.abc import Iterator

from deploy.commands.doctor_finding import NOTE, OK, Finding
from shared.file_limit import connections_that_fit, raise_file_limit
from shared.settings import SHORTEST_TOKEN, Settings


def limits(settings: Settings) -> Iterator[Finding]:
    """The files a process may open, and the length of the shared token."""
    files = raise_file_limit()
    fit = connections_that_fit(settings.connections_max)
    if fit < settings.connections_max:
        detail = f"{files} per process: a web process takes {fit} connections, not CONNECTIONS_MAX"
        yield Finding("files", NOTE, detail, "raise the hard limit (ulimit -Hn, LimitNOFILE=)")
    else:
        yield Finding("files", OK, f"{files} per process, enough for {fit} connections")
    if settings.has_short_token:
        detail = f"AUTH_TOKEN has {len(settings.auth_token)} characters; it can be guessed"
        advice = f"at least {SHORTEST_TOKEN}: `openssl rand -hex 16`"
        yield Finding("token", NOTE, detail, advice)
