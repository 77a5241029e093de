"""What a page shows of a session, part by part, and how that differs from the database.

Texts are compared byte for byte. An answer is compared twice: the text that its copy button gives
with the stored one, and its elements with those that the page makes of the stored text when it is
drawn at once (`web/ui/src/chat/reference.tsx`). JSON of tools is shown with spaces of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as BrowserTimeout

from shared.db.models import MessageRow

SCRIPT = Path(__file__).with_name("shown.js").read_text("utf-8")
MARGIN = 2_000  # pixels: messages that were never in sight have an estimated height
WITHIN = 20_000  # milliseconds
DRAWN_WITHIN = 3.0  # seconds


@dataclass(frozen=True)
class Part:
    """`kind`: prompt, reasoning, answer or tool. `text`: what it shows; of a tool its name, what it
    was called with, and its result."""

    kind: str
    text: str | tuple[str, Any, Any]


def expected_parts(rows: Sequence[MessageRow]) -> list[Part]:
    """What a page has to show of stored messages."""
    calls = {
        call["id"]: call["function"]["arguments"] for row in rows for call in row.tool_calls or []
    }
    found: list[Part] = []
    for row in rows:
        if row.role == "user":
            found.append(Part("prompt", row.content))
        elif row.role == "tool":
            given = calls.get(row.tool_call_id or "", "")
            found.append(Part("tool", (row.tool_name or "", _value(given), _value(row.content))))
        else:
            if (row.reasoning or "").strip():
                found.append(Part("reasoning", row.reasoning or ""))
            if row.content.strip():
                found.append(Part("answer", row.content))
    return found


@contextmanager
def tall(page: Page) -> Iterator[None]:
    """A page so high that all messages of a short session are in sight, and so in the document."""
    before = page.viewport_size or {"width": 1280, "height": 800}
    height = page.locator(".scroll").evaluate("box => Math.ceil(box.scrollHeight * 1.5)")
    page.set_viewport_size({"width": before["width"], "height": height + MARGIN})
    try:
        yield
    finally:
        page.set_viewport_size(before)


def differences(page: Page, rows: Sequence[MessageRow], reference: str) -> list[str]:
    """Each difference in a line. `reference`: the script that draws a text at once.

    The page must be `tall` and at rest. Its clipboard is used, so its context needs the permissions
    `clipboard-read` and `clipboard-write`.
    """
    wanted = expected_parts(rows)
    page.evaluate(
        f"async () => {{ {reference}\nglobalThis.reference = reference; {SCRIPT}"
        "\nawait reference.ready; }"
    )
    try:
        page.wait_for_function(
            "count => shown.elements().length === count", arg=len(wanted), timeout=WITHIN
        )
    except BrowserTimeout:
        return [f"{len(wanted)} parts are stored, shown are: {page.evaluate('shown.kinds()')}"]
    return [fault for number, part in enumerate(wanted) for fault in _compare(page, number, part)]


def _compare(page: Page, number: int, part: Part) -> list[str]:
    """Part by part: where they differ."""
    kind, text = page.evaluate("number => shown.part(number)", number)
    if kind == "tool":
        name, given, output = text
        text = (name, _value(given), _value(output))
    where = f"part {number} ({part.kind})"
    if kind != part.kind:
        return [f"{where}: is shown as {kind}"]
    if kind != "answer":
        return [] if text == part.text else [f"{where}: shown {text!r}, stored {part.text!r}"]
    page.bring_to_front()
    copied = page.evaluate("number => shown.copied(number)", number)
    found = [] if copied == part.text else [f"{where}: copied {copied!r}, stored {part.text!r}"]
    drawn = page.evaluate("([n, text]) => shown.difference(n, text)", [number, part.text])
    until = time.monotonic() + DRAWN_WITHIN
    while drawn and time.monotonic() < until:  # what draws formulas may still be on its way
        page.wait_for_timeout(100)
        drawn = page.evaluate("([n, text]) => shown.difference(n, text)", [number, part.text])
    return [*found, f"{where}: drawn {drawn}"] if drawn else found


def _value(text: str) -> Any:
    """JSON objects and lists by their value, numbers to the last digit; other text as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        return text
