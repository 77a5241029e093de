"""What an agent or a person writes is text: it runs nothing and loads nothing."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Request, expect

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
    '```mermaid\ngraph TD; A["<img src=x onerror=window.hit=1>"]; click A "javascript:hit=1"\n```',
    "```svg\n<svg xmlns='http://www.w3.org/2000/svg'><script>window.hit=1</script></svg>\n```",
    "<math><mtext><img src=x onerror=window.hit=1></mtext></math>",
    '[a](https://example.org/"onmouseover="window.hit=1)',
    "<form action=javascript:window.hit=1><input autofocus onfocus=window.hit=1></form>",
    "$\\href{javascript:window.hit=1}{x}$",
]


# Files of Mermaid, which the frame of diagrams alone loads. Its policy blocks what they would run.
OF_MERMAID = "/assets/chunk-"


@pytest.mark.parametrize("place", ["answer", "prompt", "tool", "thoughts", "question", "error"])
def test_no_text_is_run_or_loaded(tab: Tab, place: str) -> None:
    tab.expect_fault(OF_MERMAID)
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
        "thoughts": {"say": "Done.", "reasoning": 1, "reasoning_text": text},
        "question": {
            "say": "Done.",
            "approval": {"after": 1, "command": text, "description": text, "timeout": 60},
        },
        "error": {"say": "Done.", "end": "failed", "error": text},
    }[place]
    before = text if place == "prompt" else "Attack"
    tab.send(f"{before} [[demo {json.dumps(script)}]]")
    if place == "question":
        tab.page.locator(".question").wait_for()
        assert_harmless(tab, asked)
        tab.page.click(".question button:has-text('Deny')")
    tab.page.locator(".answer").wait_for()
    tab.wait_for_rest()
    for fold in tab.page.locator("details.fold summary").all():
        fold.click()
    assert_harmless(tab, asked)


def test_no_title_and_no_waiting_message_is_run_or_loaded(tab: Tab, session_id: str) -> None:
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.send('To be named. [[demo {"tokens": 9000, "rate": 50}]]')
    tab.wait_for_text("t1 ")
    tab.send("\n\n".join(ATTACKS))
    tab.page.locator(".queue li").wait_for()
    for attack in ATTACKS[:4]:
        renamed = tab.page.evaluate(
            """([id, title]) => fetch(`/api/sessions/${id}`, {
                method: "PATCH",
                headers: {"Content-Type": "application/json"},
                body: JSON.stringify({title}),
            }).then((answer) => answer.status)""",
            [session_id, attack],
        )
        assert renamed == 200
        tab.page.locator("h1", has_text=attack).wait_for()
        tab.page.locator(".session > a[aria-current]", has_text=attack).wait_for()
        assert_harmless(tab, asked)
    tab.page.click("button:has-text('Stop')")
    tab.wait_for_text("You wrote")
    tab.wait_for_rest()
    assert_harmless(tab, asked)


def assert_harmless(tab: Tab, asked: list[str]) -> None:
    """Nothing of an attack has run, was loaded, or is an element of the page. Formulas are elements
    of MathML, and diagrams are pictures, made in a frame without an origin."""
    for link in tab.page.locator(".answer a").all():
        assert (link.get_attribute("href") or "").startswith("http"), link
    assert tab.page.evaluate("() => window.hit") is None
    strange = (
        "script:not([src]), "
        "main :is(img:not(.diagram img), style, object, form:not(.composer), [onerror], [onload]), "
        "iframe:not([sandbox='allow-scripts']), math :is(a, img, mtext *, [href], [style])"
    )
    assert tab.page.locator(strange).count() == 0
    assert [url for url in asked if ":9/" in url] == []
    assert tab.page.locator("#message").is_visible()


DIAGRAM = "flowchart LR\n  A[Begin] --> B[End]\n"
BAD_DIAGRAMS = [
    "%%{init: {'securityLevel': 'loose', 'htmlLabels': true}}%%\n" + DIAGRAM,
    'flowchart LR\n  A["<img src=x onerror=\'parent.hit = 1\'>"] --> B["<script>hit=1</script>"]',
    DIAGRAM + '  click A href "javascript:parent.hit=1"\n  click B call parent.alert("x")',
    DIAGRAM + "  style A fill:url(http://127.0.0.1:9/stolen.png)",
    "%%{init: {'themeCSS': '* { background: url(http://127.0.0.1:9/stolen.png) }'}}%%\n" + DIAGRAM,
]


def say(tab: Tab, text: str) -> None:
    """Have the agent say it."""
    tab.send(f"Say it. [[demo {json.dumps({'say': text, 'rate': 500})}]]")
    tab.page.locator(".answer").wait_for()
    tab.wait_for_rest()


def test_a_diagram_is_drawn_as_a_picture(tab: Tab) -> None:
    say(tab, f"Look:\n\n```mermaid\n{DIAGRAM}```\n\nDone.")
    picture = tab.page.locator(".diagram img")
    picture.wait_for()
    size = picture.evaluate("(one) => one.decode().then(() => [one.naturalWidth, one.clientWidth])")
    assert min(size) > 50
    assert (picture.get_attribute("src") or "").startswith("data:image/svg+xml")


def test_a_diagram_that_is_none_shows_its_source(tab: Tab) -> None:
    say(tab, "```mermaid\nno diagram at all {{{\n```\n")
    figure = tab.page.locator(".diagram", has_text="It cannot be drawn.")
    figure.wait_for()
    expect(figure.locator("code")).to_contain_text("no diagram at all")
    expect(figure.locator("img")).to_have_count(0)


@pytest.mark.parametrize("number", range(len(BAD_DIAGRAMS)))
def test_no_diagram_runs_or_loads_anything(tab: Tab, number: int) -> None:
    asked: list[Request] = []
    tab.page.on("request", lambda request: asked.append(request))
    tab.expect_fault("Content Security Policy", "blocked")  # whatever the frame's policy refuses
    say(tab, f"```mermaid\n{BAD_DIAGRAMS[number]}\n```\n")
    figure = tab.page.locator(".diagram")
    figure.locator("img, p:has-text('cannot be drawn')").first.wait_for()
    for picture in figure.locator("img").all():
        picture.evaluate("(one) => one.decode().catch(() => 0)")
        picture.click()
    assert tab.page.evaluate("() => window.hit") is None
    sent = [one for one in asked if "csp" not in (one.failure or "").lower()]
    assert [one.url for one in sent if ":9/" in one.url] == []
    assert tab.page.url.count("javascript") == 0
    frame = tab.page.locator("iframe")
    expect(frame).to_have_attribute("sandbox", "allow-scripts")
    assert tab.page.frames[1].evaluate("() => window.origin") == "null"


def test_formulas_are_mathml_and_prices_are_not(tab: Tab) -> None:
    tex = "\\href{javascript:hit=1}{x} \\htmlStyle{color:red}{y}"
    say(
        tab,
        "Inline \\(a^2\\), $b_1$ and $$c$$; a price of $5 to $10.\n\n$$\n\\frac{1}{2}\n- 3\n$$\n\n"
        f"$${tex}$$\n\nDone.",
    )
    answer = tab.page.locator(".answer")
    expect(answer.locator("p math")).to_have_count(3)
    expect(answer.locator(".formula math mfrac")).to_have_count(1)
    expect(answer).to_contain_text("a price of $5 to $10.")
    expect(answer.locator("math [href], math a, math [style]")).to_have_count(0)


def test_the_parts_for_formulas_and_diagrams_are_not_loaded_before_they_are_needed(
    tab: Tab,
) -> None:
    loaded = "() => performance.getEntriesByType('resource').map((one) => one.name).join(' ')"
    say(tab, "Nothing special.")
    before = tab.page.evaluate(loaded)
    assert "math" not in before
    assert "diagram" not in before
    say(tab, "$$x$$\n\nDone.")
    tab.page.locator("math").wait_for()
    assert "math" in tab.page.evaluate(loaded)
