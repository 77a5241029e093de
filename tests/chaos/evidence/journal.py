"""Reads the gateway's journal (deploy/demo_gateway/journal.py)."""

from __future__ import annotations

import json
from pathlib import Path

from tests.chaos.evidence.evidence import Produced


def read_journal(file: Path) -> dict[str, Produced]:
    """Its runs by the gateway's run id. A line that a kill cut off is passed over."""
    produced: dict[str, Produced] = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            note = json.loads(line)
        except ValueError:
            continue
        run_id, what = note["run_id"], note["what"]
        if what == "post":
            produced[run_id] = Produced(run_id, note["session_id"], note["at"], note["pid"])
        elif run_id in produced and what == "token":
            produced[run_id].tokens.append((note["at"], note["text"]))
        elif run_id in produced and what == "stop":
            produced[run_id].stops += 1
        elif run_id in produced and what == "end":
            produced[run_id].status = note["status"]
            produced[run_id].messages = note["messages"]
    return produced
