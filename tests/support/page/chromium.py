"""Debian's Chromium, and a person who is signed in with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from shared import sign_in_code
from tests.support.servers.stack import TOKEN

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def signed_in(browser: Browser, url: str, **options: Any) -> BrowserContext:
    """A browser of one person, who has the cookie of the server at `url`; the caller closes it.

    `options` are those of a context.
    """
    made = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    code = sign_in_code.make(TOKEN, time.time())
    answer = made.request.post(f"{url}/auth/session", data={"code": code})
    assert answer.ok, answer.text()
    return made
