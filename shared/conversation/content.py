"""Text and blocks: the text of a message, in whatever shape it comes. Pure.

Gateways of the Hermes family store structured answers as the Python repr of their blocks
(`"[{'type': 'text', 'text': \\"it's\\"}]"`, sometimes quoted once more). `parse_stringified` reads
them back with real parsers, so apostrophes and nested quotes survive.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

LITERAL_LIMIT = 2_000_000  # characters of a Python literal
STRUCTURE_LIMIT = 50_000  # of these outside its strings: each costs microseconds of the hub's time
NESTING_LIMIT = 100  # levels of JSON that `clean_json` keeps
REPLACEMENT = "\ufffd"

ToolCall: TypeAlias = dict[str, Any]

_LIST_OF_DICTS = re.compile(r"\s*\[\s*\{\s*\\?['\"]")
# A string literal; one that is never closed reaches to the end, so that no text is scanned twice.
_STRING = re.compile(r"""'[^'\\]*+(?:\\.[^'\\]*+)*+'?|"[^"\\]*+(?:\\.[^"\\]*+)*+"?""", re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ParsedContent:
    """The content of an assistant's blocks; `tool_calls` are `{id, type, function}` as in P8."""

    content: str
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)


def parse_stringified(text: object) -> ParsedContent | None:
    """Read an assistant's stringified blocks; None if `text` is anything else. Never raises, and
    gives clean texts: the literal may have escapes of what no database holds.

    Only a non-empty list whose every item is a known block counts (P27): an answer `[1, 2]` is an
    answer. JSON is tried first, then a Python literal; one more layer of quotes is taken off.
    """
    if not isinstance(text, str) or not (candidate := text.strip()):
        return None
    for form in [candidate, *_unquoted(candidate)]:
        if _LIST_OF_DICTS.match(form) and form.rstrip().endswith("]"):
            parsed = read_blocks(_first_reading(form, json.loads, _literal))
            if parsed is not None:
                return parsed
    return None


def read_blocks(blocks: object) -> ParsedContent | None:
    """Read the text, thinking and tool_use blocks of an assistant; None if there are others."""
    if not isinstance(blocks, list) or not blocks:
        return None
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for block in blocks:
        match block:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "thinking", "thinking": str(thought)}:
                thoughts.append(thought)
            case {"type": "tool_use", "name": str()} if (call := _tool_call(block)) is not None:
                calls.append(call)
            case _:
                return None
    content, reasoning = "".join(texts), "\n\n".join(filter(None, thoughts))
    return ParsedContent(clean_text(content), clean_text(reasoning), calls)


def blocks_to_text(content: object) -> str:
    """Return the readable text of a message's content: blocks are joined by line breaks.

    Images and documents become `[image]` and `[document]`, tool results their own text; other
    blocks are left out.
    """
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(filter(None, map(_block_text, content)))


def input_text(value: object) -> str:
    """Return the text of a run's `input` (P15): text, content blocks, or `[{role, content}]`.

    Of a list of messages it is that of the last one, the only one that gateways use.
    """
    if isinstance(value, list) and value and _is_message(value[-1]):
        return blocks_to_text(value[-1]["content"])
    return blocks_to_text(value)


def clean_text(text: str) -> str:
    """Replace NUL and lone surrogates, which databases and UTF-8 cannot hold, by U+FFFD.

    Two halves of a surrogate pair that meet (a delta was cut between them) become their character.
    """
    if (text.isascii() and "\x00" not in text) or not _UNSTORABLE.search(text):
        return text
    units = text.replace("\x00", REPLACEMENT).encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


def clean_json(value: Any, _levels: int = NESTING_LIMIT) -> Any:
    """Return a copy of a JSON-like value that every JSON writer and database accepts.

    Texts and keys are cleaned; non-finite numbers become null, integers beyond 64 bits floats;
    values below `NESTING_LIMIT` levels become U+FFFD.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _clean_number(value)
    if not isinstance(value, list | tuple | Mapping):
        return value
    if _levels == 0:
        return REPLACEMENT
    if isinstance(value, Mapping):
        return {clean_text(str(k)): clean_json(v, _levels - 1) for k, v in value.items()}
    return [clean_json(item, _levels - 1) for item in value]


# -- steps --------------------------------------------------------------------------------------


def _unquoted(text: str) -> list[str]:
    """Return the readings of what is inside the outer quotes: JSON, verbatim, a Python literal."""
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return []
    inner = [_reading(json.loads, text), text[1:-1], _reading(_literal, text)]
    return [form for form in inner if isinstance(form, str)]


def _first_reading(text: str, *parsers: Callable[[str], Any]) -> Any:
    values = (_reading(parse, text) for parse in parsers)
    return next((value for value in values if value is not None), None)


def _reading(parse: Callable[[str], Any], text: str) -> Any:
    """Return what the parser reads from `text`; None if it refuses it."""
    try:
        return parse(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None  # what these two parsers raise on other text, or too deep nesting


def _literal(text: str) -> Any:
    if len(text) > LITERAL_LIMIT or len(_STRING.sub("", text)) > STRUCTURE_LIMIT:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown escapes, as in '\d', are only warned about
        return ast.literal_eval(text.strip())


def _tool_call(block: Mapping[str, Any]) -> ToolCall | None:
    call_id = block.get("id")
    try:
        arguments = json.dumps(block.get("input", {}), ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None  # a Python literal can hold what JSON cannot
    return {
        "id": clean_text(call_id) if isinstance(call_id, str) else "",
        "type": "function",
        "function": {"name": clean_text(block["name"]), "arguments": clean_text(arguments)},
    }


def _is_message(item: object) -> bool:
    return isinstance(item, dict) and "role" in item and "content" in item


def _block_text(block: object) -> str:
    match block:
        case str(text) | {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return text
        case {"type": "image" | "image_url" | "input_image"}:
            return "[image]"
        case {"type": "document" | "file" | "input_file"}:
            return "[document]"
        case {"type": "tool_result", "content": str(text)}:
            return text
        case {"type": "tool_result", "content": [*parts]}:
            return "\n".join(p["text"] for p in parts if _is_text(p))
        case _:
            return ""


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and isinstance(block.get("text"), str)


def _clean_number(value: float) -> float | None:
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return value
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
