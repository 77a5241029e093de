"""Every run has one end, for a reason that some fault explains; every accepted prompt is a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence.evidence import Evidence, Row, Violation
from tests.chaos.judge.sides import tag_of

MARGIN = 3.0  # seconds around a run in which a fault may be its reason
FINAL = frozenset({"completed", "failed", "aborted"})
UNANSWERED = frozenset({"PostReset", "PostLate", "GatewayKilled", "GatewayFrozen", "GatewaySlow"})
OWNERLESS = frozenset({"WorkerKilled", "WorkerFrozen", "WorkerTerminated", "LeaseLapsed"})
STORAGE = frozenset(
    {"BackendsTerminated", "DatabaseRestarted", "DatabaseLocked", "DiskFull", "PoolerRestarted"}
)
# A prompt that was sent without asking for an acknowledgement may be lost with its connection.
SEVERED = frozenset({"WebKilled", "WebTerminated", "WebFrozen", "SocketsCut"})
GIVEN_UP_AFTER = 10.0  # seconds before a prompt was given up
AWAY = frozenset({"GatewayKilled", "GatewayFrozen", "Busy429", "Draining503"})

# A failure's reason -> the faults one of which must have been in force during the run.
LEGAL: dict[str, frozenset[str]] = {
    "gateway_lost_run": frozenset({"GatewayKilled"}),
    "post_uncertain": UNANSWERED | OWNERLESS | STORAGE | {"PostLost"},
    "gateway_unreachable": AWAY,
    "start_deadline": AWAY,
}


def ends_by_reason(evidence: Evidence) -> Counter[str]:
    """How the runs ended."""
    return Counter(
        f"{run['state']}{'/' + run['reason'] if run['reason'] else ''}"
        for run in evidence.runs.values()
    )


def judge_ends(evidence: Evidence) -> Iterator[Violation]:
    """Open runs, ends that were not announced, failures without a fault that explains them."""
    for run_id, run in evidence.runs.items():
        if run["state"] not in FINAL or not run["ended_at"]:
            yield Violation("open run", run_id, f"state {run['state']}")
        elif not run["announced_at"]:
            yield Violation("open run", run_id, "its end was never announced")
        elif run["state"] == "failed":
            yield from _failure(evidence, run_id, run)
        elif run["state"] == "aborted" and not _was_stopped(evidence, run):
            yield Violation("end", run_id, "aborted without a request")


def _was_stopped(evidence: Evidence, run: Row) -> bool:
    """Whether its person stopped something while it was there: the live run, or the head."""
    return any(stop.hit(run) for stop in evidence.stops)


def _failure(evidence: Evidence, run_id: str, run: Row) -> Iterator[Violation]:
    near = evidence.near(run["created_at"] - MARGIN, run["ended_at"] + MARGIN)
    if not LEGAL.get(run["reason"], frozenset()) & {fault.name for fault in near}:
        names = sorted({fault.name for fault in near})
        yield Violation("end", run_id, f"failed, {run['reason']}; faults at the time: {names}")


def judge_prompts(evidence: Evidence) -> Iterator[Violation]:
    """What was acknowledged must be there, once."""
    tags = Counter(tag_of(run) for run in evidence.runs.values())
    for sent in evidence.sent:
        if sent.code == "ok" and sent.run_id not in evidence.runs:
            yield Violation("prompt", sent.run_id, f"{sent.tag} was acknowledged and is not there")
        if tags[sent.tag] > 1:
            yield Violation("prompt", sent.run_id, f"{sent.tag} became {tags[sent.tag]} runs")
        if sent.request_id and sent.code != "ok":
            yield Violation("prompt", "", f"{sent.tag} was never acknowledged: {sent.code}")
        if sent.code == "unacknowledged" and not tags[sent.tag]:
            near = {fault.name for fault in evidence.near(sent.at - GIVEN_UP_AFTER, sent.at)}
            if not near & SEVERED:
                yield Violation("prompt", "", f"{sent.tag} is lost; faults: {sorted(near)}")
