"""The page can say every error in its other language."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import web
from shared.protocol.run_states import Reason

REFUSALS = Path(web.__file__).parent / "ui/src/languages/refusals.ts"
#: Of processes that do not start; no client receives them.
AT_START = {"settings", "incompatible_library"}

#: In a process of its own: to import all modules changes more than a test may.
CODES = """
import importlib, pkgutil
import web, worker
from shared.errors import HoldfastError

def codes(kind):
    return {kind.code}.union(*map(codes, kind.__subclasses__()))

for package in (web, worker):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(*codes(HoldfastError))
"""


def test_every_error_has_a_translation() -> None:
    said = subprocess.run(
        [sys.executable, "-c", CODES], check=True, capture_output=True, text=True, timeout=60
    )
    known = {*said.stdout.split(), *Reason}
    assert {"quota", "too_many_sessions", "gateway_busy"} <= known
    translated = re.findall(r"^  (\w+):", REFUSALS.read_text("utf-8"), re.MULTILINE)
    assert known - AT_START - set(translated) == set()
