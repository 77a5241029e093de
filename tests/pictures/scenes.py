"""What is said in the pictures."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.support.servers.stack import Stack

ANSWER: dict[str, Any] = {
    "rate": 400,
    "reasoning": 1,
    "reasoning_text": "Two deploys, one release lock. Who holds it now, and with which fence?",
    "tools": [
        {
            "after": 9,
            "name": "read_lock",
            "arguments": {"lock": "release", "environment": "production"},
            "output": '{"holder": "deploy-118", "fence": 42, "expires_in": 11.4}',
            "seconds": 0.3,
        }
    ],
    "say": (
        "I look at the release lock first. \n\n"
        "**deploy-118** has won: it holds the lock with the higher fence, and every write of the "
        "other one is refused from now on.\n\n"
        "| deploy | fence | state |\n| --- | ---: | --- |\n"
        "| deploy-117 | 41 | fenced off |\n| deploy-118 | 42 | running |\n\n"
        "To see it yourself:\n\n"
        '```python\nlock = locks.read("release")\nassert lock.fence == 42, lock.holder\n```\n'
    ),
}
QUESTION: dict[str, Any] = {
    "rate": 400,
    "say": "Before I delete anything, I ask. Done: the files of deploy-117 are gone.",
    "approval": {
        "after": 7,
        "command": "rm -rf /srv/releases/deploy-117",
        "description": "Delete the files of the deploy that was fenced off.",
    },
}
SHORT: dict[str, Any] = {
    "rate": 16,
    "say": (
        "A **lease** is a right that ends by itself.\n\n"
        "1. A worker *claims* a job: the database notes who has it, and until when.\n"
        "2. While it works, it renews the lease, long before it ends.\n"
        "3. If the worker dies, nobody renews it. It lapses, and another worker takes the job "
        "over.\n\n"
        "A worker that was only frozen may wake up and go on writing. So every claim has a number, "
        "the **fence**:\n\n"
        "```sql\nUPDATE jobs SET result = :result\nWHERE id = :id AND fence = :fence\n```\n\n"
        "The late writer has the old number, its update matches no row, and the answer stays "
        "whole. That is all: one row, one number, one clock."
    ),
}
SESSIONS = [
    "Why is the nightly export slow?",
    "Draft of the release notes for 0.1",
    "Rename the fields of the billing API",
    "Compare three ways to shard the event log",
]
REPLY: dict[str, Any] = {"say": "Here is what I found.", "rate": 400}


def fill_sidebar(stack: Stack, page: Page) -> None:
    """A few sessions from before."""
    for title in SESSIONS:
        page.click("button:has-text('New chat')")
        stack.gateway.faults(script=REPLY, count=1)
        page.fill("#message", title)
        page.press("#message", "Enter")
        page.locator(".answer", has_text="Here is what I found.").wait_for()
        page.locator(".sessions li", has_text=title).wait_for()
