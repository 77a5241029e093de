"""Two kinds of browser tabs. Both record what they get; neither repairs anything by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import aiohttp

from tests.chaos.clients.received_events import note
from tests.chaos.clients.websocket import Lost, NotLetIn, WebSocket
from tests.chaos.evidence.evidence import Page, ReceivedEvent

ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})
RECONNECT = (0.2, 1.0)  # seconds: the first try after a loss, and at most between tries


class Tab:
    """Keeps itself connected. `page` is what it shows since it was loaded."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str, name: str) -> None:
        self.name = name
        self.session_id = name.partition("/")[0]
        self._http, self._url, self._token = http, url, token
        self.pages: list[Page] = []
        self.not_let_in: list[str] = []  # why, each time that it could not connect
        self.ended: set[str] = set()  # runs whose end any page of this tab has received
        self.websocket: WebSocket | None = None
        self._task: asyncio.Task[None] | None = None
        self._reloading = False

    @property
    def page(self) -> Page:
        """The page that is open."""
        return self.pages[-1]

    def open(self) -> None:
        """Load the page and stay until `close`."""
        self.pages.append(Page(self.name, self.session_id, time.time()))
        self._task = asyncio.create_task(self._live(), name=self.name)

    async def reload(self) -> None:
        """The person presses F5."""
        self.page.closed = time.time()
        self._reloading = True
        if self.websocket is not None:
            await self.websocket.close()

    async def drop(self) -> None:
        """The network goes away for a moment."""
        if self.websocket is not None:
            await self.websocket.close()

    def forget(self) -> None:
        """What a fresh page does not know."""

    async def close(self) -> None:
        """Leave for good."""
        self.page.closed = time.time()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self.websocket is not None:
            await self.websocket.close()

    async def call(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Ask over the present connection. Raises Lost."""
        if self.websocket is None:
            raise Lost("not connected")
        return await self.websocket.call(name, {"session_id": self.session_id, **payload})

    async def emit(self, name: str, payload: dict[str, Any]) -> None:
        """Send over the present connection. Raises Lost."""
        if self.websocket is None:
            raise Lost("not connected")
        await self.websocket.emit(name, {"session_id": self.session_id, **payload})

    async def _live(self) -> None:
        delay = 0.0
        while True:
            await asyncio.sleep(delay)
            websocket = WebSocket(self._http, self._url, self._on_event)
            try:
                await self._come(websocket)
                delay = RECONNECT[0]
                if not self._reloading:  # pressed while it was connecting
                    await websocket.gone.wait()
            except Lost as error:
                if isinstance(error, NotLetIn):
                    self.not_let_in.append(str(error))
                delay = min(max(delay, RECONNECT[0]) * 2, RECONNECT[1])
            finally:
                self.websocket = None
                await websocket.close()
            if self._reloading:
                self._reloading, delay = False, 0.05
                self.forget()
                self.pages.append(Page(self.name, self.session_id, time.time()))

    async def _come(self, websocket: WebSocket) -> None:
        raise NotImplementedError

    async def _show(self, websocket: WebSocket, **cursor: Any) -> dict[str, Any]:
        """Ask for the session. Raises Lost."""
        answer = await websocket.call("resume", {"session_id": self.session_id, **cursor})
        if not answer.get("ok"):
            await asyncio.sleep(0.2)
            raise Lost(str(answer))
        return answer

    def _on_event(self, name: str, arguments: list[Any]) -> None:
        payload = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
        event = note(name, payload)
        self.page.received.append(event)
        if name in ENDS:
            self.ended.add(event.run_id)
        self.take(event, payload, arguments)

    def take(self, event: ReceivedEvent, payload: dict[str, Any], arguments: list[Any]) -> None:
        """What this kind of tab remembers of an event."""
        raise NotImplementedError


class OldTab(Tab):
    """The existing client: knows nothing of seq, is recovered by socket.io-client (P3)."""

    kind = "old"
    pid = ""
    offset = ""

    def forget(self) -> None:
        self.pid = self.offset = ""

    async def _come(self, websocket: WebSocket) -> None:
        asked = {"pid": self.pid, "offset": self.offset} if self.pid else {}
        answer = await websocket.connect({"token": self._token, "recovery": "1", **asked})
        recovered = bool(self.pid) and answer.get("pid") == self.pid
        self.pid = str(answer.get("pid", ""))
        self.websocket = websocket
        if asked and not recovered:
            self.note("unrecovered")
        if not recovered:
            self.offset = ""
            await self._show(websocket)

    def note(self, what: str) -> None:
        """Something that happened to the tab rather than came over the websocket."""
        self.page.received.append(ReceivedEvent(time.time(), what, "", 0, 0))

    def take(self, event: ReceivedEvent, payload: dict[str, Any], arguments: list[Any]) -> None:
        if arguments and isinstance(arguments[-1], str):
            self.offset = arguments[-1]


class ModernTab(Tab):
    """Knows seq: comes back with its cursor, reads the session again after `resync` and
    `messages.updated`."""

    kind = "modern"
    cursor: tuple[str, int, int] | None = None

    def forget(self) -> None:
        self.cursor = None

    async def _come(self, websocket: WebSocket) -> None:
        await websocket.connect({"token": self._token, "protocol": "2"})
        self.websocket = websocket
        cursor = self.cursor
        if cursor is None:
            await self._show(websocket)
            return
        run_id, epoch, seq = cursor
        answer = await self._show(websocket, run_id=run_id, epoch=epoch, after_seq=seq)
        if answer.get("run_id") != run_id:
            await self._show(websocket)  # another run has begun, or ended, meanwhile

    def take(self, event: ReceivedEvent, payload: dict[str, Any], arguments: list[Any]) -> None:
        if event.shown is not None:
            if not payload.get("replay"):
                self.cursor = None
                if payload.get("seq") is not None:
                    self.cursor = (event.run_id, event.epoch, event.seq)
        elif event.name in ENDS:
            self.cursor = None
            if payload.get("resync") and self.websocket is not None:
                self._reread(self.websocket)
        elif event.name == "messages.updated" and self.websocket is not None:
            self._reread(self.websocket)
        elif event.seq:
            self.cursor = (event.run_id, event.epoch, event.seq)

    def _reread(self, websocket: WebSocket) -> None:
        async def work() -> None:
            with contextlib.suppress(Lost):
                await self._show(websocket)

        self._rereading = asyncio.create_task(work())
