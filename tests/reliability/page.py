"""`docs/RELIABILITY.md` from the guards: `python -m tests.reliability.page docs/RELIABILITY.md`.

Without a file it prints the page.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.reliability.guards import FAILURES, RULES, Guard, load
from tests.support.paths import ROOT

RULE_NAMES = {
    "R1": "a gateway's event stream is read by one reader, once",
    "R2": "a POST is repeated only if the first one certainly did not arrive",
    "R3": "each attempt is stored before its POST; a double post is stopped",
    "R4": "a run that is polled still shows its progress",
    "R5": "the transcript tail is appended message by message",
    "R6": "when the gateway's transcript replaces the streamed text",
    "R7": "429 and 503 delay a run in its queue and do not fail it",
    "R8": "a silent stream only makes the worker ask for the status",
    "R9": "a stop is a stored flag first; its end waits for the gateway, with a limit",
    "R10": "only the oldest open approval can be answered, once",
    "R11": "one live run per session, started in order",
    "R12": "leases by the database's clock, renewed independently of the runs",
    "R13": "no takeovers after a short outage of the database",
    "R14": "takeover: claim, install the log, read it, act",
    "R15": "only the current owner creates or extends an event log",
    "R16": "a batch that is sent again is the same batch",
    "R17": "a seq never stands for two contents: a new epoch instead",
    "R18": "slots of their own for takeovers, five takeovers at most",
    "R19": "web processes change runs by compare-and-set",
    "R20": "a run's end is committed before it is announced",
    "R21": "the POST with its record, and the closing transaction, are not interrupted",
    "R22": "a worker that gets SIGTERM finishes its runs and takes no new ones",
    "R23": "turns are numbered at their claim; summaries know what they cover",
    "R24": "a late transcript replaces only its own turn",
    "R25": "ephemeral sessions are deleted only when done, and only ours",
    "R26": "a join: everything so far, then every later event",
    "R27": "lost notifications are made up for from the log",
    "R28": "no work for sessions that no socket watches",
    "R29": "a live log is shortened by folding, not cut",
    "R30": "the Redis keys of a run expire together, after its end",
    "R31": "a slow socket is closed, and its client resumes",
    "R32": "runs without a session",
    "R33": "the same request creates one run",
    "R34": "busy sessions queue in order; lost messages are replaced",
    "R35": "SQLite has one writer",
    "R36": "stream and transcript are judged separately",
}

# number: what fails, what users see, what holds
ROWS = {
    "W1": ("a web process, in any way", "a reconnect", "each token once and in order"),
    "W2": (
        "a worker dies in mid-stream",
        "`run.reattached`; finished steps at once, the rest at the end",
        "one POST, a complete transcript",
    ),
    "W3": ("a worker freezes and wakes up", "the same", "its late writes are refused"),
    "W4": (
        "a worker gets SIGTERM",
        "nothing, as long as the drain lasts",
        "runs are finished; exit code 0",
    ),
    "W5": ("Redis is restarted", "a pause", "nothing is lost"),
    "W6": (
        "Redis is emptied, the run's owner lives",
        "a pause",
        "the log is written again with the same seqs",
    ),
    "W7": (
        "Redis is emptied and the owner dead",
        "`session.resync`, or `resync` at the end",
        "the text is the gateway's; queued runs start",
    ),
    "W8": (
        "the database is unreachable for a moment",
        "live text continues, new runs are refused with a reason",
        "no takeovers, no half-written turn",
    ),
    "W9": (
        "a Celery message is lost or delivered twice",
        "a delay, or nothing",
        "the claim decides",
    ),
    "W10": (
        "a gateway refuses, or has no capacity",
        "`run.retrying`, then the run or its failure",
        "the position in the queue",
    ),
    "W11": (
        "a stream is cut, silent, malformed, or has a giant event",
        "`run.reattached`, or `run.failed` with a reason",
        "the text so far",
    ),
    "W12": (
        "a stop, at any moment and on any node",
        "one end, with `synced: false` if the gateway is slow",
        "prompt and partial answer are kept; the next message runs",
    ),
    "W13": ("a browser is slow or gone", "a reconnect", "the web process's memory is bounded"),
    "W14": ("beat runs twice, or not at all", "nothing, or a delay", "jobs that may run twice"),
}

HEAD = """\
# Reliability

Generated from `tests/reliability/*.toml`; do not edit. To renew it:
`python -m tests.reliability.page docs/RELIABILITY.md`

Each rule of [RULES.md](RULES.md), each row of the failure table below and each line of
[FAILURES.md](FAILURES.md) that is about reliability has a *guard*: a mechanism in the code, a
change that switches it off, and the tests that fail with that change.

**`make red`** proves that they fail. It runs all these tests unchanged once; then, for each guard,
it copies the tree, makes the change, and requires that a test fails. A module that cannot be
imported, an error outside of a test, or a programming error in the changed text (such as a name
that does not exist) does not count as a failed test.
To run some guards only: `make red GUARDS="R16 W5 slow-socket"` (ids, or what they cover).
`python -m tests.reliability.red --skip-green` leaves the unchanged tests out, `-j 2` runs two
guards at once. A new mechanism gets a guard in one of the files:

    [[guard]]
    id = "frozen-batch"            # unique
    covers = ["R16", "W5"]         # rules, rows, failures
    says = "What would go wrong for users without it, in one sentence."
    tests = ["tests/unit/worker/event_log/test_run_log.py::test_…"]
    file = "worker/event_log/run_log.py"
    find = '''text that occurs once in the file'''
    replace = '''the same without the mechanism'''
    # timeout_is_red = true        # if without it a test waits forever

**`make chaos MINUTES=30 SEED=…`** tests no single mechanism. Real processes serve many sessions
while faults happen to them, in an order that the seed determines; a judge compares the gateway's
record with the clients' and the database. Short forms of it are among the tests.

**`make page-chaos RUNS=200 SEED=…`** does the same to people with browsers: what each page shows at
the end must be what is stored, byte for byte (`tests/page_chaos/README.md`).
"""

OVERLOAD = """\
## Overload

`python -m tests.bench.overload --write` sends more than can be served, looks once a second, and
draws what it saw. Overload may cost waiting and nothing else: work goes on at the rate of the
capacity, live runs stream on, another user's run starts in its turn, the queue of messages stays
short, and nothing is taken over, failed, lost or posted twice. The figures are in
[PERFORMANCE.md](PERFORMANCE.md#under-overload).
"""
#: file of docs/performance -> what is drawn there
OVERLOAD_PICTURES = {
    "overload-twice.svg": "Nine tenths of the capacity, twice as much, and nine tenths again",
    "overload-waiting.svg": "A hundred thousand runs of a thousand users wait",
    "overload-one-user.svg": "One user has a thousand long runs, others one each",
    "overload-storm.svg": "A thousand sockets resume a long session at once",
}

FAILURE = re.compile(r"^\| (\d+) \| ([^|]+) \|", re.MULTILINE)


def page() -> str:
    """The whole page."""
    guards = load()
    rows = [f"| {name} | {' | '.join(texts)} |" for name, texts in ROWS.items()]
    table = ["| no. | what fails | what users see | what holds |", "| --- " * 4 + "|"]
    return "\n".join(
        [
            HEAD,
            *_section("Rules", "rule", RULE_NAMES, RULES, guards),
            *_overload(),
            "## Failure table",
            "",
            *table,
            *rows,
            "",
            *_section("", "what fails", {n: t[0] for n, t in ROWS.items()}, [*ROWS], guards),
            *_section(
                "Known failures of other chat servers",
                "what went wrong",
                _failures(),
                FAILURES,
                guards,
            ),
            "## Guards",
            "",
            *(f"- `{g.id}` ({', '.join(g.covers)}; `{g.file}`): {g.says}" for g in guards),
            "",
        ]
    )


def _overload() -> list[str]:
    """Those that were drawn."""
    there = [
        f"![{text}](performance/{file})"
        for file, text in OVERLOAD_PICTURES.items()
        if (ROOT / "docs" / "performance" / file).exists()
    ]
    return [OVERLOAD, *(line for picture in there for line in (picture, ""))]


def _failures() -> dict[str, str]:
    text = (ROOT / "docs" / "FAILURES.md").read_text("utf-8")
    return {f"F{number}": text.strip() for number, text in FAILURE.findall(text)}


def _section(
    title: str, what: str, texts: dict[str, str], names: Iterable[str], guards: Sequence[Guard]
) -> list[str]:
    head = [f"## {title}", ""] if title else []
    table = [f"| no. | {what} | guard | mechanism | tests |", "| --- " * 5 + "|"]
    rows = [row for name in names for row in _rows(name, texts[name], guards)]
    return [*head, *table, *rows, ""]


def _rows(name: str, text: str, guards: Sequence[Guard]) -> list[str]:
    mine = [guard for guard in guards if name in guard.covers]
    shown = [(name, text)] + [("", "")] * len(mine)
    return [
        f"| {number} | {shown_text} | `{guard.id}` | `{guard.file}` | {_tests(guard)} |"
        for (number, shown_text), guard in zip(shown, mine, strict=False)
    ] or [f"| {name} | {text} | | | |"]


def _tests(guard: Guard) -> str:
    """Each test once, by its node id below `tests`."""
    named = dict.fromkeys(test.partition("[")[0] for test in guard.tests)
    return "<br>".join(f"`{test.removeprefix('tests/')}`" for test in named)


def main(arguments: Sequence[str]) -> int:
    """Print the page, or write it into the file that is named."""
    if arguments:
        Path(arguments[0]).write_text(page(), "utf-8")
    else:
        sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
