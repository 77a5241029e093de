"""`docs/protocol.md`, made from the tables of `shared.protocol.events`.

    python -m shared.protocol.protocol_doc [FILE]

Without FILE it prints the page; with FILE it writes it there.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from shared.protocol import events
from shared.protocol.events import EventDef
from shared.protocol.run_states import Reason

_HEAD = """\
# Protocol

Generated from `shared/protocol/events.py`; do not edit. To renew it:
`python -m shared.protocol.protocol_doc docs/protocol.md`

Holdfast speaks Socket.IO (protocol 5, clients of version 4) on the namespace `{namespace}`. The
tables hold every event of it; what is not served yet is listed in
[ARCHITECTURE](ARCHITECTURE.md#what-is-not-here-yet).

**Handshake.** `auth.token` is the installation's token, that of a user, or a JSON Web Token. The
server's own page needs none once it has signed in (`POST /auth/session`). `profile` in the query
names the gateway profile (default `default`); it counts for sessions that do not exist yet.
`protocol=2`, in the query or in `auth`, keeps a socket that sends `abort` listening to the run that
it stopped. A wrong token is answered by `connect_error` with the message `Authentication failed`.
When a token ends, its sockets are closed as by a lost network, so that clients can come back with
another one.

**Recovery.** socket.io-client 4.6 and later is recovered after a lost connection: on any web
process it is back in its sessions, and is sent what it missed, or `session.resync` where that is
not possible. For that the answer to CONNECT carries a `pid`, events of runs carry an offset as one
more argument, a string, and a CONNECT with `pid` and `offset` in `auth` goes on from there, within
five minutes ([ADR 0010](adr/0010-recovery-by-offsets.md)). `recovery=1`, in the query or in `auth`,
asks for it, `recovery=0` declines. Who says neither is given it if it looks like socket.io-client
(`EIO=4&transport=` in this order, and the `User-Agent` of a browser, Node, Bun or Deno, or none),
unless it says `protocol=2`: who knows `seq` goes on by `resume`, and handlers in other languages
may not take one more argument.

**Marks.** `?`: may be left out. A field without a value is absent, never null.
"""

_REQUESTS = """\
Each request is one object. With an acknowledgement it is answered by
`{ok: true, run_id?, session_id?, status?}` or `{ok: false, error: {code, message}}`. Without one, a
refused `run` is answered by `run.failed` (the code is its `reason`), any other refusal by `error`,
and an `abort` of nothing by nothing. Requests of one socket are served in their order.
"""

_RUN_EVENTS = """\
All of them carry `event`, `run_id`, `epoch`, `seq`, and `session_id` if the run has one. Within one
epoch of a run, `seq` counts 1, 2, 3 … without gap, and a socket gets each once and in order, or a
`resumed` or `session.resync` in its place. `{terminal}` end a run: each run has exactly one.
Most events that are no deltas say in `timestamp` (epoch seconds) when they were.
Events that are not on this page and come from a gateway are passed on under their own names.
"""

_SESSION_EVENTS = """\
They carry `event` and `session_id`, and no `seq`: they are hints, and `resumed` holds the same
information.
"""

_SOCKET_EVENTS = """\
A `resume` with `run_id`, `epoch` and `after_seq` is answered, if the log still has the events after
`after_seq`, by a `resumed` with `replay: true` and without messages, and then by those events.
`degraded: true` says that the database or Redis did not answer and something may be missing.
`notices` is a list of `{code, missing, message}`, for people, of what the session will not have as
long as its gateway is as it is. The code `no_transcript`: the gateway gives no transcript, so that
results of tools (`tool_results` in `missing`), and reasoning that was not streamed (`reasoning`),
are not kept; the message says what the operator can set. Other codes may come.
`approvals` are the `approval.request` of all questions that are open, the oldest first, of which
`events` has the oldest. `ends` is a list of `{run_id, status, reason?, error?, unconfirmed?}`, of
the turns among `messages` that failed or were stopped; `unconfirmed`: the gateway did not say that
it stopped.
"""


def page() -> str:
    """Return the page, in Markdown."""
    terminal = "`, `".join(sorted(events.TERMINAL))
    parts = [
        _HEAD.format(namespace=events.NAMESPACE),
        *_section("Client to server", _REQUESTS, events.CLIENT_EVENTS),
        *_section("Events of a run", _RUN_EVENTS.format(terminal=terminal), events.RUN_EVENTS),
        *_section("Events of a session", _SESSION_EVENTS, events.SESSION_EVENTS),
        *_section("Events to one socket", _SOCKET_EVENTS, events.SOCKET_EVENTS),
        "## Reasons\n",
        "`reason` of a run that did not end well (of a refused `run`: the code of its error):\n",
        ", ".join(f"`{reason.value}`" for reason in Reason) + ".",
    ]
    return "\n".join(parts) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Print the page, or write it into the named file; return the exit code."""
    if len(arguments) > 1:
        sys.stderr.write("usage: python -m shared.protocol.protocol_doc [FILE]\n")
        return 2
    if arguments:
        Path(arguments[0]).write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
    return 0


def _section(title: str, text: str, definitions: Iterable[EventDef]) -> list[str]:
    return [f"## {title}\n", text, _table(definitions)]


def _table(definitions: Iterable[EventDef]) -> str:
    rows = [f"| `{one.name}` | {_cell(one.fields)} | {_cell(one.meaning)} |" for one in definitions]
    return "\n".join(["| event | fields | meaning |", "| --- | --- | --- |", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
