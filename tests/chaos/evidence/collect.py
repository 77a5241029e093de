"""Gathers what database, Redis and processes hold after the load. It judges nothing."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.chaos.evidence.evidence import Evidence, Grown, Row
from tests.chaos.evidence.journal import read_journal
from tests.chaos.evidence.memory import Life
from tests.chaos.stage import Stage

DOUBLE = re.compile(r"run\.double_post run_id=(\S+)")
JSON_COLUMNS = ("input", "terminal_entries", "usage", "tool_calls")


def collect_rows(stage: Stage, evidence: Evidence) -> None:
    """Runs, attempts, messages, the gateway's journal, and what streams gave."""
    evidence.produced = read_journal(stage.journal)
    for row in rows(stage, "SELECT * FROM runs"):
        evidence.runs[row["id"]] = row
    evidence.streams = stage.streamed()
    evidence.attempts = rows(stage, "SELECT * FROM run_attempts")
    for row in rows(stage, "SELECT * FROM messages ORDER BY turn_no, idx"):
        evidence.messages.setdefault(row["run_id"], []).append(row)
    for process in stage.processes():
        evidence.double_posts.update(DOUBLE.findall(process.log()))


def rows(stage: Stage, statement: str) -> list[Row]:
    """Rows as dicts, JSON columns decoded."""
    engine = create_engine(stage.environment["DATABASE_URL"], poolclass=NullPool)
    with engine.connect() as connection:
        found = [dict(row._mapping) for row in connection.execute(text(statement))]
    for row in found:
        for name in JSON_COLUMNS:
            if isinstance(row.get(name), str):
                row[name] = _decoded(row[name])
    return found


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def collect_logs(stage: Stage, evidence: Evidence) -> None:
    """Every run's log, as far as it is there."""
    with stage.command() as client:
        for raw in client.scan_iter("hf:{*}:log:*", count=1000):
            run_id = bytes(raw).decode().rpartition(":")[2]
            entries = client.xrange(raw)
            evidence.logs[run_id] = [
                (int(bytes(entry).decode().partition("-")[0]), _event(bytes(fields[b"d"])))
                for entry, fields in entries
            ]


def _event(data: bytes) -> Row:
    """The event of a log's entry: `["name",{…}]`."""
    name, payload = json.loads(data)
    return {**payload, "event": name}


def collect_leftovers(stage: Stage, evidence: Evidence) -> None:
    """Keys with their TTL, channels with subscribers."""
    with stage.command() as client:
        for raw in client.scan_iter("*", count=1000):
            evidence.keys[bytes(raw).decode()] = int(client.ttl(raw))
        evidence.channels = [bytes(c).decode() for c in client.pubsub_channels("*")]


def collect_memory(stage: Stage, evidence: Evidence, warm_up: float) -> None:
    """Of processes that are there at the end, and were long enough to have warmed up."""
    living = {process.pid for process in stage.slots.values()}
    for pid in living:
        grown = _grown(stage.memory.lives[pid], warm_up) if pid in stage.memory.lives else None
        if grown is not None:
            evidence.memory.append(grown)


def _grown(life: Life, warm_up: float) -> Grown | None:
    start = life.after(warm_up)
    if start is None or life.notes[-1][0] <= start[0]:
        return None
    end = life.notes[-1]
    threads, files = (start[2], end[2]), (start[3], end[3])
    return Grown(life.name, life.pid, start[1], end[1], end[0] - start[0], threads, files)
