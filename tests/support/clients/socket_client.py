"""The real Socket.IO client of Python, steered from a test and recording its events.

All clients of a test process live on one event loop in one thread: fifty cost no more than a few,
and events are recorded in the order in which they came (the threaded client hands each to a thread
of its own).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import socketio
from socketio.exceptions import ConnectionError as Refused

from tests.support.recording import Payload, Recording

T = TypeVar("T")

NAMESPACE = "/chat-run"
TIMEOUT = 20.0  # seconds for a connect or an acknowledgement


class ClientLoop:
    """The thread in which clients live."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="socket-clients", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it in the loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT + 5)

    def run_all(self, works: list[Coroutine[Any, Any, T]]) -> list[T]:
        """Do them at the same time and wait for all."""

        async def together() -> list[T]:
            return list(await asyncio.gather(*works))

        return self.run(together())

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


class SocketClient(Recording):
    """One socket in `/chat-run`, over WebSocket. Reconnects only with the option `reconnection`."""

    def __init__(self, loop: ClientLoop, url: str, token: object, **options: Any) -> None:
        """`options`: `profile`, `protocol` go to the query; `who` names it; `reconnection`."""
        super().__init__(options.pop("who", "client"))
        self._loop = loop
        reconnection = options.pop("reconnection", False)
        query = urlencode({name: value for name, value in options.items() if value is not None})
        self._url = f"{url}?{query}" if query else url
        self.token = token
        self.errors: list[Any] = []
        self._client = loop.run(self._make(reconnection))

    async def _make(self, reconnection: bool) -> Any:
        client = socketio.AsyncClient(
            reconnection=reconnection,
            reconnection_delay=0.1,
            reconnection_delay_max=0.5,
            # As browsers: aiohttp leaves at a message of 4 MB, which a long session may be.
            websocket_extra_options={"max_msg_size": 0},
        )
        client.on("*", self._on_event, namespace=NAMESPACE)
        client.on("connect_error", self.errors.append, namespace=NAMESPACE)
        client.on("connect", self._come, namespace=NAMESPACE)
        client.on("disconnect", self._gone, namespace=NAMESPACE)
        return client

    def _on_event(self, name: str, *args: Any) -> None:
        self.add(name, args[0] if args else {})

    def _come(self) -> None:
        self.add("connect", {})

    def _gone(self, reason: Any = "") -> None:
        self.add("disconnect", {"reason": str(reason)})

    async def connecting(self) -> None:
        """The coroutine of `connect`."""
        await self._client.connect(
            self._url,
            namespaces=[NAMESPACE],
            auth={"token": self.token} if self.token is not None else {},
            transports=["websocket"],
            wait_timeout=TIMEOUT,
        )

    def connect(self) -> Self:
        """Connect. Raises `Refused`; what the server said is then in `errors`."""
        self._loop.run(self.connecting())
        return self

    async def emitting(self, name: str, payload: Any) -> None:
        """The coroutine of `emit`."""
        await self._client.emit(name, payload, namespace=NAMESPACE)

    def emit(self, name: str, payload: Any = None) -> None:
        """Send without asking for an acknowledgement."""
        self._loop.run(self.emitting(name, payload))

    async def calling(self, name: str, payload: Any) -> Payload:
        """The coroutine of `call`."""
        got: Payload = await self._client.call(name, payload, namespace=NAMESPACE, timeout=TIMEOUT)
        return got

    def call(self, name: str, payload: Any = None) -> Payload:
        """Send and give the acknowledgement."""
        return self._loop.run(self.calling(name, payload))

    def call_all(self, *requests: tuple[str, Any]) -> list[Payload]:
        """Send all (name, payload) at once and give the acknowledgements in order."""
        return self._loop.run_all([self.calling(name, payload) for name, payload in requests])

    def run(self, text: Any, session_id: str | None = None, **fields: Any) -> str:
        """Start a run and give its id; fails the test if it is refused."""
        session = {"session_id": session_id} if session_id is not None else {}
        answer = self.call("run", {"input": text, **session, **fields})
        assert answer["ok"], answer
        return str(answer["run_id"])

    def resume(self, session_id: str, **fields: Any) -> Payload:
        """Resume and give the `resumed` that came for it."""
        mark = self.mark()
        answer = self.call("resume", {"session_id": session_id, **fields})
        assert answer["ok"], answer
        return self.wait_for("resumed", since=mark)

    def abort(self, session_id: str, **fields: Any) -> Payload:
        """Ask to stop and give the acknowledgement."""
        return self.call("abort", {"session_id": session_id, **fields})

    def disconnect(self) -> None:
        """Leave; harmless when it is gone already."""
        with contextlib.suppress(Refused):
            self._loop.run(self._client.disconnect())
