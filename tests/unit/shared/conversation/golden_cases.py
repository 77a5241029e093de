"""The recorded cases: messages, and what must become of them."""

from __future__ import annotations

import json
from typing import Any

from tests.support.paths import ROOT

FILE = ROOT / "tests" / "golden" / "history_cases.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
