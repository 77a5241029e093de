"""What a title of a session may be: the rules of the gateway's API. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from shared.errors import InvalidTitle

LONGEST: Final = 100  # characters

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff]")
_INVISIBLE = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffc\ufff9-\ufffb]")
_SPACE = re.compile(r"\s+")


def clean_title(title: str | None) -> str | None:
    """Return the title on one line, without characters that cannot be seen; None if nothing is
    left. Raises InvalidTitle if it is too long then."""
    visible = _INVISIBLE.sub("", _CONTROL.sub("", title or ""))
    cleaned = _SPACE.sub(" ", visible).strip()
    if len(cleaned) > LONGEST:
        raise InvalidTitle(f"Title too long ({len(cleaned)} chars, max {LONGEST})")
    return cleaned or None


def next_title(title: str, taken: Iterable[str]) -> str:
    """Return a title for a copy of a session with this title: `title #2`, or the number after the
    highest one of the titles that are `taken`."""
    base = _base(title)
    numbers = [_number(other, base) for other in taken]
    return f"{base[: LONGEST - 8].rstrip()} #{max(numbers, default=1) + 1}"


def _base(title: str) -> str:
    return re.sub(r" #\d{1,6}$", "", title)


def _number(title: str, base: str) -> int:
    """The original counts as 1."""
    found = re.fullmatch(r"(.*) #(\d{1,6})", title, re.DOTALL)
    return int(found[2]) if found is not None and base.startswith(found[1]) else 1
