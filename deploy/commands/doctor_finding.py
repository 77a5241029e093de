"""What a check of the doctor reports."""

from dataclasses import dataclass

OK, NOTE, FAULT = "ok", "note", "fault"


@dataclass(frozen=True)
class Finding:
    """The result of a check. A note is advice; a fault keeps Holdfast from starting."""

    subject: str
    state: str
    detail: str
    advice: str = ""
