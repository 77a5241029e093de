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
    "R1": "a gateway's stream has one reader, once",
    "R2": "no second POST unless the first never arrived",
    "R3": "each try is written down before it leaves; one too many is stopped",
    "R4": "asking the gateway is not silence",
    "R5": "the tail is joined message by message",
    "R6": "whose transcript counts",
    "R7": "429 and 503 keep the place in the queue",
    "R8": "silence makes us ask, and only the answer acts",
    "R9": "a stop is a flag first; the end waits for the gateway, not for ever",
    "R10": "only the oldest open question is answered, once",
    "R11": "the session's lock; one claim; ends in order",
    "R12": "the database's clock; a renewal that depends on nothing",
    "R13": "no takeovers after a short absence of the database",
    "R14": "claim, install, read, act",
    "R15": "only `install` makes a log; `append` asks for fence and head",
    "R16": "a batch is frozen when it is sent",
    "R17": "a new epoch where continuity cannot be proved",
    "R18": "slots for takeovers, and an end to them",
    "R19": "the web compares states before it sets them",
    "R20": "log, row, announcement, mark: in this order",
    "R21": "two sections are not interrupted",
    "R22": "a worker that is told to stop reads its runs to the end",
    "R23": "turns are numbered at their claim; summaries know what they cover",
    "R24": "a late sync replaces its own turn",
    "R25": "ephemeral sessions are deleted late, and only ours",
    "R26": "the order of joining",
    "R27": "gaps are filled from the log",
    "R28": "who listens to what; nobody, nothing",
    "R29": "a live log is folded, not cut",
    "R30": "keys live as long as their run",
    "R31": "a slow socket is closed and comes back",
    "R32": "runs without session",
    "R33": "the same request is the same run",
    "R34": "what a busy session does; what waits is found",
    "R35": "SQLite has one writer",
    "R36": "the gateway's words and its transcript are judged apart",
}

# number: what dies or misbehaves, what people see, what holds
ROWS = {
    "W1": ("a web process, by whatever end", "a reconnect", "each token once, in order"),
    "W2": (
        "a worker, in mid-stream",
        "`run.reattached`; finished steps at once, the rest at the end",
        "one POST, a whole transcript",
    ),
    "W3": ("a worker frozen, then awake", "the same", "what it writes late bounces"),
    "W4": ("a worker told to stop", "nothing, as long as the drain lasts", "exit code 0"),
    "W5": ("Redis restarted", "a pause", "nothing is lost"),
    "W6": ("Redis emptied, the owner alive", "a pause", "the same seqs, written anew"),
    "W7": (
        "Redis emptied and the owner dead",
        "`session.resync` or `resync` at the end",
        "the text is the gateway's; what waited starts",
    ),
    "W8": (
        "the database, for a moment",
        "live text goes on, new runs are refused in words",
        "no takeovers, no half turn",
    ),
    "W9": ("a Celery message lost or doubled", "a delay, or nothing", "the claim decides"),
    "W10": (
        "a gateway that refuses, or has no room",
        "`run.retrying`, then the run or its failure",
        "the place in the queue",
    ),
    "W11": (
        "a stream cut, silent, full of junk, or with a giant event",
        "`run.reattached`, or `run.failed` with a reason",
        "the text so far",
    ),
    "W12": (
        "a stop, at any moment and on any node",
        "one end, `synced: false` if the gateway is slow",
        "question and partial answer; the next message runs",
    ),
    "W13": ("a browser that is slow or gone", "a reconnect", "the web's memory is bounded"),
    "W14": ("beat twice, or not at all", "nothing, or a delay", "jobs that may run twice"),
}

HEAD = """\
# Reliability

Generated from `tests/reliability/*.toml`; do not edit. To renew it:
`python -m tests.reliability.page docs/RELIABILITY.md`

Each rule of [RULES.md](RULES.md), each row of the failure table below and each line of
[FAILURES.md](FAILURES.md) that is about reliability has a *guard*: a mechanism in the code, the
tests that hold it, and a change that switches it off. With the change these tests fail.

**`make red`** proves that. It sees all the tests green once; then, for each guard, it copies the
tree, makes the change, and wants a test to fail. What proves nothing is *broken*: a module that
does not load, an error outside of a test, and a change that itself fails: one that raises
NameError, AttributeError, ImportError or the TypeError of a wrong call, also if that is only logged.
A part of the guards: `make red GUARDS="R16 W5 slow-socket"` (ids, or what they cover);
`python -m tests.reliability.red --skip-green` leaves the unchanged tests out, `-j 2` takes two at
once. Whoever adds a mechanism adds its guard to one of the files:

    [[guard]]
    id = "frozen-batch"            # unique
    covers = ["R16", "W5"]         # rules, rows, failures
    says = "What would go wrong without it."
    tests = ["tests/unit/worker/event_log/test_run_log.py::test_…"]
    file = "worker/event_log/run_log.py"
    find = '''text that is there once'''
    replace = '''the same without the mechanism'''
    # timeout_is_red = true        # if without it a test waits for ever

**`make chaos MINUTES=30 SEED=…`** does not ask for single mechanisms. Real processes serve many
sessions while faults happen to them, in an order that the seed fixes, and a judge that knows only
the gateway's record, the clients' and the database compares. Short forms of it are among the tests.
"""

FAILURE = re.compile(r"^\| (\d+) \| ([^|]+) \|", re.MULTILINE)


def page() -> str:
    """The whole page."""
    guards = load()
    rows = [f"| {name} | {' | '.join(cells)} |" for name, cells in ROWS.items()]
    table = ["| no. | what dies or misbehaves | what people see | what holds |", "| --- " * 4 + "|"]
    return "\n".join(
        [
            HEAD,
            *_section("Rules", "rule", RULE_NAMES, RULES, guards),
            "## Failure table",
            "",
            *table,
            *rows,
            "",
            *_section("", "what dies", {n: t[0] for n, t in ROWS.items()}, [*ROWS], guards),
            *_section("Failures of others", "what went wrong", _failures(), FAILURES, guards),
            "## Guards",
            "",
            *(f"- `{g.id}` ({', '.join(g.covers)}; `{g.file}`): {g.says}" for g in guards),
            "",
        ]
    )


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
        f"| {number} | {first} | `{guard.id}` | `{guard.file}` | {_tests(guard)} |"
        for (number, first), guard in zip(shown, mine, strict=False)
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
