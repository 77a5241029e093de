"""Finds names that a guard's change uses and that do not exist, without running anything."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.reliability.guards import Guard
from tests.support.paths import ROOT

RUFF = (sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F821")


def undefined_names(guards: Sequence[Guard], root: Path = ROOT) -> list[str]:
    """One line for each undefined name or syntax error in a changed Python file."""
    with tempfile.TemporaryDirectory() as folder:
        for guard in guards:
            if guard.file.endswith(".py"):
                changed = guard.applied((root / guard.file).read_text("utf-8"))
                Path(folder, f"{guard.id}.py").write_text(changed, "utf-8")
        done = subprocess.run(
            [*RUFF, "--target-version", "py311", "--output-format", "json", folder],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    return [f"{Path(one['filename']).stem}: {one['message']}" for one in json.loads(done.stdout)]
