"""`holdfast doctor`: checks the installation and says how to correct it."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from deploy.commands.doctor_checks import examine
from deploy.commands.doctor_finding import FAULT, NOTE, Finding
from shared.errors import SettingsError
from shared.settings import Settings

MARKS = {"ok": "ok   ", NOTE: "note ", FAULT: "FAULT"}


def doctor(environ: Mapping[str, str], *, as_json: bool) -> int:
    """Print the findings; 0 if Holdfast can start here, else 1."""
    try:
        settings = Settings.load(environ)
    except SettingsError as error:
        findings = [Finding("settings", FAULT, str(error), "correct the variables named above")]
    else:
        findings = examine(settings)
    can_start = all(finding.state != FAULT for finding in findings)
    if as_json:
        print(
            json.dumps({"ok": can_start, "findings": [asdict(one) for one in findings]}, indent=2)
        )
    else:
        for finding in findings:
            _show(finding)
        print("Holdfast can start here." if can_start else "Holdfast cannot start here yet.")
    return 0 if can_start else 1


def _show(finding: Finding) -> None:
    print(f"{MARKS[finding.state]}  {finding.subject:<12} {finding.detail}")
    if finding.advice:
        print(f"{'':<20} -> {finding.advice}")
