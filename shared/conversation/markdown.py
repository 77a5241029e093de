"""A conversation as Markdown for people. Pure.

Problem: a message may have an open code fence, an HTML comment or a list, which would swallow all
that follows it. Idea: a message stands as it is only if all of its code fences begin at the left
margin and are closed, and nothing else in it reaches beyond a blank line. Any other message becomes
a block quote, which ends whatever was begun in it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

NAMES: Final = {"user": "User", "assistant": "Assistant", "tool": "Tool"}

_LINE_END = re.compile(r"\r\n|\r|\n")
_FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})(?P<info>.*)", re.DOTALL)
_RISKY = re.compile(r"[ \t>*+\-\d.)]*(?:`{3}|~{3})|[ ]{0,3}<|[ ]{0,3}\[")
_TICKS = re.compile("`{3,}")


def heading(session: Mapping[str, Any]) -> str:
    """Return the first lines: title, id, profile, model, times."""
    title = " ".join(str(session.get("title") or "Untitled").split())
    facts = [f"- Session: `{_code(session['id'])}`", f"- Profile: `{_code(session['profile'])}`"]
    for name, label in (("model", "Model"), ("workspace", "Workspace")):
        if value := session.get(name):
            facts.append(f"- {label}: `{_code(value)}`")
    facts.append(f"- Started: {_time(session['started_at'])}")
    return "\n".join([f"# {_escaped(title)}", "", *facts, ""])


def section(message: Mapping[str, Any]) -> str:
    """Return one message: who and when, then its text, and the calls of tools as JSON."""
    role = str(message["role"])
    name = NAMES.get(role, _escaped(role))
    if role == "tool" and (tool := message.get("tool_name")):
        name = f"{name} `{_code(tool)}`"
    lines = ["", f"## {name} · {_time(message['timestamp'])}", ""]
    content = str(message.get("content") or "")
    if content:
        lines.append(fenced(content) if role == "tool" else closed(content))
    for call in message.get("tool_calls") or []:
        lines += ["", fenced(json.dumps(call, ensure_ascii=False, indent=2), "json")]
    return "\n".join([*lines, ""])


def fenced(text: str, language: str = "") -> str:
    """Return the text as a block of code, whatever is in it."""
    ticks = "`" * max([3, *(len(found) + 1 for found in _TICKS.findall(text))])
    return f"{ticks}{language}\n{text}\n{ticks}"


def closed(text: str) -> str:
    """Return the text so that it changes nothing after it."""
    lines = _LINE_END.split(text)
    if _is_closed(lines):
        return "\n".join(lines)
    return "\n".join(f"> {line}".rstrip() if not line.strip() else f"> {line}" for line in lines)


def _is_closed(lines: list[str]) -> bool:
    fence = ""
    for line in lines:
        found = _FENCE.fullmatch(line)
        if fence:
            if found and found["fence"].startswith(fence) and not found["info"].strip():
                fence = ""
        elif found and not (found["fence"][0] == "`" and "`" in found["info"]):
            fence = found["fence"]
        elif _RISKY.match(line):
            return False
    return not fence


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def _code(text: object) -> str:
    return " ".join(str(text).replace("`", "'").split())


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


def document(session: Mapping[str, Any], messages: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the whole conversation in parts."""
    yield heading(session)
    for message in messages:
        yield section(message)
