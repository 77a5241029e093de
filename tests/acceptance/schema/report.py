"""What schemathesis reports of a run: which answers each operation gave."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any


class Report:
    """Its events, one JSON text a line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def statuses(self) -> dict[str, set[int]]:
        """The statuses that each operation answered; operations as `GET /v1/runs/{run_id}`."""
        found: dict[str, set[int]] = defaultdict(set)
        for line in self.path.read_text("utf-8").splitlines():
            scenario = json.loads(line).get("ScenarioFinished")
            if scenario is None:
                continue
            recorder = scenario["recorder"]
            for name, interaction in recorder.get("interactions", {}).items():
                if answer := interaction.get("response"):
                    case = recorder["cases"][name]["value"]
                    found[f"{case['method']} {case['path']}"].add(answer["status_code"])
        return found

    def without_success(self, description: dict[str, Any]) -> list[str]:
        """Operations that never gave the answer that they give when all is well, of those that need
        no id."""
        statuses = self.statuses()
        wanted = {
            f"{method.upper()} {path}": int(next(iter(operation["responses"])))
            for path, methods in description["paths"].items()
            for method, operation in methods.items()
            if "{" not in path
        }
        return sorted(name for name, status in wanted.items() if status not in statuses[name])
