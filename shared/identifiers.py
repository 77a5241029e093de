"""What an id of a session, a run or a request may be: what clients can send. Pure."""

import re
from typing import Final, TypeGuard

LONGEST: Final = 200  # characters
UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


def is_fit(text: str) -> bool:
    """Whether the text has no control characters, halves of characters or separators of lines."""
    return UNFIT.search(text) is None


def is_identifier(value: object) -> TypeGuard[str]:
    """Whether a client can name something by this value."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST and is_fit(value)
