"""What a list of messages asks: instructions, the messages before, and the one to answer. Pure.

Contents become text, or blocks of text and images, as gateways take them; anything else is refused
with the codes of the gateway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.conversation.content import blocks_to_text, clean_json
from web.api.http.errors import ApiError

Content = str | list[dict[str, Any]]

_TEXTS: Final = ("text", "input_text", "output_text")
_IMAGES: Final = ("image_url", "input_image")
_FILES: Final = ("file", "input_file")
_INSTRUCTING: Final = ("system", "developer")
_SPEAKING: Final = ("user", "assistant")


@dataclass(frozen=True)
class Asked:
    """`before`: messages `{role, content}` of user and assistant, in order."""

    prompt: Content
    before: Sequence[dict[str, Any]] = ()
    instructions: str | None = None


def asked(items: Sequence[Any], field: str) -> Asked:
    """What these messages ask; texts among them are messages of the user. Items that are no
    messages, such as calls of functions, are passed over. Raises ApiError, which names the item of
    `field`."""
    spoken: list[dict[str, Any]] = []
    instructions: list[str] = []
    for index, item in enumerate(items):
        message = {"content": item} if isinstance(item, str) else item
        if not isinstance(message, Mapping) or message.get("type", "message") != "message":
            continue
        role = message.get("role", "user")
        content = _content(message.get("content"), f"{field}[{index}].content")
        if role in _INSTRUCTING:
            instructions.append(blocks_to_text(content))
        elif role in _SPEAKING:
            spoken.append({"role": role, "content": content})
    if not spoken or not blocks_to_text(spoken[-1]["content"]).strip():
        raise ApiError(400, "invalid_payload", f"No user message found in {field}", param=field)
    before = [message for message in spoken[:-1] if message["content"]]
    return Asked(spoken[-1]["content"], before, "\n".join(filter(None, instructions)) or None)


def history(items: Sequence[Any], field: str) -> list[dict[str, Any]]:
    """Messages that were said before. Raises ApiError for one without role or content."""
    found: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        if not isinstance(item, Mapping) or "role" not in item or "content" not in item:
            message = f"{field}[{index}] must have 'role' and 'content' fields"
            raise ApiError(400, "invalid_payload", message, param=field)
        content = _content(item["content"], f"{field}[{index}].content")
        if item["role"] in _SPEAKING and content:
            found.append({"role": item["role"], "content": content})
    return found


def _content(value: Any, where: str) -> Content:
    """Text as it is; parts as one text, unless there are images among them."""
    value = clean_json(value)
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        return str(value)
    parts = [block for part in value if (block := _part(part, where)) is not None]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _part(part: Any, where: str) -> dict[str, Any] | None:
    if isinstance(part, str):
        return {"type": "text", "text": part} if part else None
    if not isinstance(part, Mapping):
        return None
    kind = str(part.get("type") or "").strip().lower()
    if kind in _TEXTS:
        text = part.get("text")
        return {"type": "text", "text": str(text)} if text else None
    if kind in _IMAGES:
        return _image(part, where)
    shown = "Files and documents" if kind in _FILES else f"Parts of the type {kind[:40]!r}"
    message = f"{shown} are not supported; send text and images."
    raise ApiError(400, "unsupported_content_type", message, param=where)


def _image(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    """An image is named by its URL, either alone or in an object with its detail."""
    named = part.get("image_url")
    inner = named if isinstance(named, Mapping) else {"url": named, "detail": part.get("detail")}
    url, detail = inner.get("url"), inner.get("detail")
    if not isinstance(url, str) or not url.strip():
        raise ApiError(400, "invalid_image_url", "An image has no URL.", param=where)
    url = url.strip()
    if url.lower().startswith("data:"):
        if not url.lower().startswith("data:image/") or "," not in url:
            message = "Of data URLs, only those of images are supported."
            raise ApiError(400, "unsupported_content_type", message, param=where)
    elif not url.lower().startswith(("http://", "https://")):
        message = "The URL of an image begins with http, https or data:image/."
        raise ApiError(400, "invalid_image_url", message, param=where)
    if detail is not None and (not isinstance(detail, str) or not detail.strip()):
        raise ApiError(400, "invalid_content_part", "The detail of an image is text.", param=where)
    more = {"detail": detail.strip()} if detail else {}
    return {"type": "image_url", "image_url": {"url": url, **more}}
