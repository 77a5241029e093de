"""Which HTTP requests are refused before anything is done for them. Pure.

A server and a proxy before it must agree where a request ends: else a body is taken for the next
request, of somebody else. So what has two readings is refused: two lengths of one body, or one that
is not just digits; a header that is none, or goes on in the next line. No client of ours sends a
body in chunks, whose framing has no limits; it is asked for the length instead.
"""

import re
from email.errors import (
    CloseBoundaryNotFoundDefect,
    MessageDefect,
    MultipartInvariantViolationDefect,
    NoBoundaryInMultipartDefect,
    StartBoundaryNotFoundDefect,
)
from email.message import Message
from typing import Final

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")

Refusal = tuple[int, str]  # HTTP status and what is wrong


def refusal(version: str, headers: Message) -> Refusal | None:
    """Why a request with these headers is refused, if it is. `version`: such as `HTTP/1.1`."""
    if not all(map(_is_of_body, headers.defects)) or not all(map(_is_header, headers.items())):
        return 400, "A header is none"
    if "transfer-encoding" in headers:
        return 411, "Send the body with its Content-Length"
    lengths = headers.get_all("content-length", [])
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(text.strip(" \t")) for text in lengths):
        return 400, "Content-Length must be one number"
    hosts = headers.get_all("host", [])
    if len(hosts) > 1 or (not hosts and version == "HTTP/1.1"):
        return 400, "Name one Host"
    return None


def _is_of_body(defect: MessageDefect) -> bool:
    """The parser looks for the parts of a body, which is not there yet."""
    return isinstance(
        defect,
        NoBoundaryInMultipartDefect
        | StartBoundaryNotFoundDefect
        | CloseBoundaryNotFoundDefect
        | MultipartInvariantViolationDefect,
    )


def _is_header(header: tuple[str, str]) -> bool:
    name, value = header
    return bool(_NAME.fullmatch(name) and _VALUE.fullmatch(str(value)))
