"""What a response was asked with, as a page of items. Pure."""

from collections.abc import Sequence
from typing import Any

from web.api.http.errors import ApiError

Item = dict[str, Any]


def input_items(
    messages: Sequence[tuple[str, Any]],
    run_id: str,
    *,
    limit: int,
    newest_first: bool,
    after: str | None,
) -> Item:
    """The page behind the item `after`. `messages`: role and content of each, in order. Raises
    ApiError if there is no such item."""
    key = run_id.removeprefix("run_")
    items = [
        {
            "id": f"in_{key}_{index}",
            "type": "message",
            "status": "completed",
            "role": role,
            "content": _parts(role, content),
        }
        for index, (role, content) in enumerate(messages)
    ]
    ordered = items[::-1] if newest_first else items
    first = 0
    if after is not None:
        ids = [item["id"] for item in ordered]
        if after not in ids:
            message = "The response has no such item."
            raise ApiError(400, "invalid_cursor", message, param="after")
        first = ids.index(after) + 1
    page = ordered[first : first + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(ordered) > first + limit,
    }


def _parts(role: str, content: Any) -> list[Item]:
    kind = "output_text" if role == "assistant" else "input_text"
    if isinstance(content, str):
        return [{"type": kind, "text": content}]
    return [_part(kind, block) for block in content if isinstance(block, dict)]


def _part(kind: str, block: Item) -> Item:
    if block.get("type") == "image_url":
        image = block.get("image_url") or {}
        return {
            "type": "input_image",
            "image_url": image.get("url"),
            "detail": image.get("detail") or "auto",
        }
    return {"type": kind, "text": block.get("text") or ""}
