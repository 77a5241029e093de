"""People: each has two tabs on one session, and does what the plan says."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import aiohttp

from tests.chaos.clients.tabs import ModernTab, OldTab, Tab
from tests.chaos.clients.websocket import Lost
from tests.chaos.evidence.evidence import Sent, Stop
from tests.chaos.schedule import Act, Prompt

END_TIMEOUT = 60.0  # seconds a person waits for an answer before doing the next thing
GIVEN_UP_AFTER = 6.0  # seconds after which a prompt without acknowledgement counts as not sent
BURST = 5


class Person:
    """One session with an old and a modern tab."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str, session_id: str) -> None:
        self.session_id = session_id
        self.old = OldTab(http, url, token, f"{session_id}/old")
        self.modern = ModernTab(http, url, token, f"{session_id}/modern")
        self.sent: list[Sent] = []
        self.stops: list[Stop] = []

    @property
    def tabs(self) -> tuple[Tab, Tab]:
        """Both."""
        return self.old, self.modern

    async def live(self, acts: Sequence[Act], start: float) -> None:
        """Do all acts, none before its time, each after the end of the one before it."""
        for act in acts:
            await asyncio.sleep(max(0.0, start + act.at - time.monotonic()))
            before = len(self._ended())
            sent_at = time.time()
            sent = await self._do(act)
            if sent:
                await self._wait_for_ends(before + sent, sent_at)

    async def _do(self, act: Act) -> int:
        """How many ends to wait for."""
        first = act.prompts[0]
        if act.kind in ("old", "reload"):
            sent = await self._send_old(first)
        else:
            sent = await self._send_modern(first, twice=act.kind == "double")
        await asyncio.sleep(act.after)
        if act.kind == "abort":
            await self._abort(act)
        elif act.kind == "reload":
            await (self.old if act.after < 1 else self.modern).reload()
        elif act.kind == "resumes":
            await self._resume_often()
        for prompt in act.prompts[1:]:
            busy = "interrupt" if act.kind == "interrupt" else "queue"
            if busy == "interrupt":
                self._note_stop(self.modern)
            sent += await self._send_modern(prompt, on_busy=busy)
        return sent

    async def _send_old(self, prompt: Prompt) -> int:
        """As the existing client: no acknowledgement, so it may be lost on the way."""
        mark, code = len(self.old.page.received), ""
        page = self.old.page
        try:
            await self.old.emit("run", {"input": prompt.text})
        except Lost:
            return 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVEN_UP_AFTER):
                while not code and page is self.old.page:
                    await asyncio.sleep(0.05)
                    events = [
                        h for h in page.received[mark:] if h.name.startswith(("run.", "message"))
                    ]
                    code = events[0].name if events else ""
        self.sent.append(
            Sent(time.time(), self.session_id, prompt.tag, "", "", code or "unacknowledged")
        )
        return int(bool(code) and code != "run.failed")

    async def _send_modern(
        self, prompt: Prompt, *, twice: bool = False, on_busy: str = "queue"
    ) -> int:
        """With an id of its own, again and again until it is acknowledged."""
        payload = {"input": prompt.text, "client_request_id": prompt.tag, "on_busy": on_busy}
        deadline = time.monotonic() + END_TIMEOUT
        code = run_id = ""
        while time.monotonic() < deadline and not run_id:
            calls = [self.modern.call("run", payload) for _ in range(2 if twice else 1)]
            for answer in await asyncio.gather(*calls, return_exceptions=True):
                if isinstance(answer, dict) and answer.get("ok"):
                    run_id, code = str(answer["run_id"]), "ok"
                elif isinstance(answer, dict) and not run_id:  # of two, one may be refused
                    code = str(answer.get("error", {}).get("code"))
            if not run_id:
                await asyncio.sleep(0.3)
        tag = prompt.tag
        self.sent.append(Sent(time.time(), self.session_id, tag, tag, run_id, code or "lost"))
        return int(bool(run_id))

    async def _abort(self, act: Act) -> None:
        tab = self.old if act.after < 1 else self.modern
        self._note_stop(tab)
        with contextlib.suppress(Lost):
            if tab is self.old:
                await tab.emit("abort", {})
            else:
                await tab.call("abort", {})

    async def _resume_often(self) -> None:
        calls = [self.modern.call("resume", {}) for _ in range(BURST)]
        await asyncio.gather(*calls, return_exceptions=True)

    def _note_stop(self, tab: Tab) -> None:
        self.stops.append(Stop(self.session_id, time.time(), tab.name))

    def _ended(self) -> set[str]:
        return self.old.ended | self.modern.ended

    async def _wait_for_ends(self, count: int, since: float) -> None:
        """Until so many runs have ended, or a page says that nothing is going on."""
        deadline = time.monotonic() + END_TIMEOUT
        while time.monotonic() < deadline:
            if len(self._ended()) >= count or any(self._idle(tab, since) for tab in self.tabs):
                return
            await asyncio.sleep(0.1)

    def _idle(self, tab: Tab, since: float) -> bool:
        shown = [h for h in tab.page.received if h.shown is not None and h.at > since + 1]
        return bool(shown and shown[-1].shown is not None and not shown[-1].shown["working"])
