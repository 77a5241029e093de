"""What an agent or a person writes is text: it runs nothing and loads nothing."""

from __future__ import annotations

import json

import pytest

from tests.browser.conftest import Tab

ATTACKS = [
    "<script>window.hit = 1</script>",
    '<img src=x onerror="window.hit = 1">',
    "<svg onload=window.hit=1><animate onbegin=window.hit=1></svg>",
    '<iframe srcdoc="<script>parent.hit = 1</script>"></iframe>',
    "[click](javascript:window.hit=1)",
    "[click](data:text/html,<script>opener.hit=1</script>)",
    "![x](http://127.0.0.1:9/stolen.png)",
    "| a |\n| --- |\n| <img src=x onerror=window.hit=1> |",
    "```html\n<script>window.hit = 1</script>\n```",
    '[x]: javascript:window.hit=1 "t"\n\n[x]',
    "<a href='javascript:window.hit=1'>x</a>",
    "<style>body { display: none }</style>",
]


@pytest.mark.parametrize("place", ["answer", "prompt", "tool"])
def test_no_text_is_run_or_loaded(tab: Tab, place: str) -> None:
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    text = "\n\n".join(ATTACKS)
    script = {
        "answer": {"say": text, "rate": 500},
        "prompt": {"say": "Done.", "rate": 500},
        "tool": {
            "say": "Done.",
            "rate": 500,
            "tools": [{"name": ATTACKS[1], "arguments": {"a": text}, "output": text}],
        },
    }[place]
    before = text if place == "prompt" else "Attack"
    tab.send(f"{before} [[demo {json.dumps(script)}]]")
    tab.page.locator(".answer").wait_for()
    tab.wait_for_rest()
    for fold in tab.page.locator("details.fold summary").all():
        fold.click()
    for link in tab.page.locator(".answer a").all():
        assert (link.get_attribute("href") or "").startswith("http"), link
    assert tab.page.evaluate("() => window.hit") is None
    strange = "script:not([src]), .conversation :is(iframe, img, style, object, [onerror])"
    assert tab.page.locator(strange).count() == 0
    assert [url for url in asked if ":9/" in url] == []
    assert tab.page.locator("#message").is_visible()
