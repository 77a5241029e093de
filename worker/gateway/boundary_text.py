"""Finds the readable text in any JSON of a gateway (CASES C10). Pure.

Texts stay as they are, numbers become text, blocks are read, and what has no text in it is shown as
JSON: never as a repr, and never as nothing.
"""

from collections.abc import Mapping
from typing import Any

from shared.conversation.content import blocks_to_text, clean_text
from worker.gateway.boundary_json import bounded, json_text, text, whole_json

BLOCKS_MOST = 10_000  # of one content
ERROR_MOST = 2_000  # characters of an error's text

# Blocks that `blocks_to_text` shows, or leaves out on purpose.
_KNOWN_BLOCKS = frozenset(
    {"text", "input_text", "output_text", "image", "image_url", "input_image", "document", "file"}
    | {"input_file", "tool_result", "thinking", "redacted_thinking", "reasoning", "tool_use"}
)
_HIDDEN = frozenset({"thinking", "redacted_thinking", "reasoning", "tool_use"})


def shown(value: object) -> str:
    """The readable text of anything (CASES C10): blocks as `blocks_to_text` does it, and what has
    no text in it as JSON; "" for nothing."""
    found = text(value)
    if found is not None:
        return found
    if isinstance(value, list) and any(isinstance(item, str) or _is_block(item) for item in value):
        return "\n".join(filter(None, map(_block, value[:BLOCKS_MOST])))
    if _is_block(value):
        return _block(value)
    return "" if value in (None, [], {}) else whole_json(value)


def result(value: object) -> str:
    """The readable text of a tool's result, in which no block is left out on purpose."""
    return shown(value) or (whole_json(value) if _has_hidden(value) else "")


def _has_hidden(value: object) -> bool:
    """Whether there is a block that `shown` leaves out, since it is no text of an answer."""
    items = value if isinstance(value, list) else [value]
    kinds = [item.get("type") for item in items if isinstance(item, dict)]
    return any(isinstance(kind, str) and kind in _HIDDEN for kind in kinds)


def _is_block(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    return (isinstance(kind, str) and kind in _KNOWN_BLOCKS) or _plain_text(item) is not None


def _block(item: object) -> str:
    if not isinstance(item, dict) or not _is_block(item):
        found = text(item)
        return ("" if item is None else whole_json(item)) if found is None else found
    found = clean_text(blocks_to_text([item])) or _plain_text(item)
    if found:
        return found
    inside = {"text": "text", "tool_result": "content"}.get(str(item.get("type")))
    return shown(bounded(item.get(inside))) if inside else ""


def _plain_text(item: Mapping[str, Any]) -> str | None:
    """The text of a dict that has nothing else, besides a type."""
    return text(item.get("text")) if item.keys() <= {"type", "text"} else None


def error_text(value: object) -> str | None:
    """What an error says: its text, or the text in it, else all of it as JSON; None for nothing."""
    found = _error(value, 4)
    return found[:ERROR_MOST] if found else None


def _error(value: object, levels: int) -> str | None:
    plain = text(value)
    if plain is not None or value in (None, [], {}, False):
        return plain
    if levels and isinstance(value, dict):
        names = ("message", "detail", "error", "msg", "description", "text", "title")
        inside = (_error(value.get(name), levels - 1) for name in names)
        if found := next(filter(None, inside), None):
            return found
    if levels and isinstance(value, list):
        several = [found for item in value[:20] if (found := _error(item, levels - 1))]
        return "; ".join(several) or None
    return json_text(value, ERROR_MOST)


def words(value: object) -> str | None:
    """A text that people or models read; JSON, if it is structured. None if it is empty."""
    return shown(value) or None
