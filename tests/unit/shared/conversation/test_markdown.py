"""A conversation as Markdown: no message changes how another one is shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.conversation.markdown import closed, document, fenced, section

SESSION: dict[str, Any] = {"id": "s", "profile": "default", "title": "A `t` <b>", "started_at": 0.0}


def message(content: str, role: str = "assistant", **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "timestamp": 0.0, **fields}


def headings(text: str) -> list[str]:
    """The second-level headings at the top level, as a Markdown parser sees them."""
    tokens = MarkdownIt("commonmark").parse(text)
    return [
        tokens[at + 1].content
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2" and token.level == 0
    ]


def shown(*messages: dict[str, Any]) -> str:
    return "".join(document(SESSION, iter(messages)))


OURS = [f"{name} · 1970-01-01 00:00:00 UTC" for name in ("User", "Assistant", "User")]

HOSTILE = [
    "```\nnever closed",
    "- item\n  ```\nback to the margin\n  ```",
    "- item\n  ```\n  x\n  ```",
    "````\n```\nstill open",
    "~~~\n```\n",
    "<!-- a comment",
    "<script>\n",
    "<div>\n```\n",
    "text\n\n    ```\n",
    "> ```\n> quoted",
    "1. ~~~\n",
    "``` `not a fence`\n```",
    "a\r```\rb",
    "[x]:",
    "- ",
    "***",
]


@pytest.mark.parametrize("content", HOSTILE)
def test_hostile_content_stays_in_its_message(content: str) -> None:
    text = shown(message("hi", "user"), message(content), message("after", "user"))
    assert headings(text) == OURS


@given(
    st.lists(
        st.sampled_from([*"`~ \n\t-*>#<!1.)ab[]:=", "```", "~~~", "\n\n", "\r", "    ", "<!--"]),
        max_size=40,
    )
)
def test_any_content_stays_in_its_message(parts: list[str]) -> None:
    content = "".join(parts)
    text = shown(message("hi", "user"), message(content), message("after", "user"))
    assert headings(text)[-1] == OURS[-1]
    tokens = MarkdownIt("commonmark").parse(text)
    assert [t.content for t in tokens if t.level == 1 and t.type == "inline"][-1] == "after"


@pytest.mark.parametrize(
    "content", ["plain", "a\n\n```py\nx = 1\n```\nb", "# mine", "~~~\n```\n~~~"]
)
def test_ordinary_content_is_left_as_it_is(content: str) -> None:
    assert closed(content) == content


def test_the_result_of_a_tool_is_code_whatever_it_has() -> None:
    output = "a\n```\n````\nb"
    tokens = MarkdownIt("commonmark").parse(section(message(output, "tool", tool_name="ls`")))
    assert [token.content for token in tokens if token.type == "fence"] == [output + "\n"]
    assert fenced("x") == "```\nx\n```"


def test_calls_are_shown_as_json() -> None:
    call = {"id": "c", "function": {"name": "ls", "arguments": "```"}}
    tokens = MarkdownIt("commonmark").parse(section(message("", tool_calls=[call])))
    found = [token for token in tokens if token.type == "fence"]
    assert [token.info for token in found] == ["json"]
    assert '"name": "ls"' in found[0].content


def test_the_title_is_one_heading() -> None:
    tokens = MarkdownIt("commonmark").parse(
        "".join(document({**SESSION, "title": "a\n# b"}, iter([])))
    )
    assert [t.tag for t in tokens if t.type == "heading_open"] == ["h1"]
