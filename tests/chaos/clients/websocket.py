"""A Socket.IO client on a bare WebSocket, for hundreds of tabs in one process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Any

import aiohttp

NAMESPACE = "/chat-run"
OPEN, PING, PONG = "0", "2", "3"
CONNECT_TIMEOUT = 10.0  # seconds for a connect

OnEvent = Callable[[str, list[Any]], None]


class Lost(Exception):
    """The connection is gone, or never came."""


class NotLetIn(Lost):
    """It was refused, or nobody was there."""


class WebSocket:
    """One connection; `on_event` gets every event's name and arguments."""

    def __init__(self, http: aiohttp.ClientSession, url: str, on_event: OnEvent) -> None:
        self._http = http
        self._url = f"{url}/socket.io/?EIO=4&transport=websocket"
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = asyncio.Event()

    async def connect(self, auth: dict[str, Any]) -> dict[str, Any]:
        """Connect to the namespace; the object of the answer. Raises NotLetIn."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                self._socket = await self._http.ws_connect(self._url, max_msg_size=0)
                assert (await self._receive()).startswith(OPEN)
                await self._socket.send_str(f"40{NAMESPACE},{json.dumps(auth)}")
                answer = await self._receive()
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            await self.close()
            raise NotLetIn(type(error).__name__) from error
        if not answer.startswith(f"40{NAMESPACE},"):
            await self.close()
            raise NotLetIn(answer)
        self._reader = asyncio.create_task(self._read())
        return dict(json.loads(answer.partition(",")[2]))

    async def emit(self, name: str, payload: dict[str, Any]) -> None:
        """Send without asking for an acknowledgement. Raises Lost."""
        await self._send(f"42{NAMESPACE},{json.dumps([name, payload])}")

    async def call(self, name: str, payload: dict[str, Any], within: float = 15) -> dict[str, Any]:
        """Send and give the acknowledgement. Raises Lost, also when none comes."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(f"42{NAMESPACE},{number}{json.dumps([name, payload])}")
            async with asyncio.timeout(within):
                return dict(await answer)
        except TimeoutError as error:
            raise Lost("no acknowledgement") from error
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Leave without a word."""
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._reader.cancel()
        if self._socket is not None:
            transport = getattr(self._socket, "_conn", None)
            if transport is not None and transport.transport is not None:
                transport.transport.abort()
            with contextlib.suppress(Exception):
                await self._socket.close()
        self._end()

    async def _send(self, text: str) -> None:
        if self._socket is None or self._socket.closed:
            raise Lost("closed")
        try:
            await self._socket.send_str(text)
        except (OSError, aiohttp.ClientError, RuntimeError) as error:
            raise Lost(type(error).__name__) from error

    async def _receive(self) -> str:
        assert self._socket is not None
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise aiohttp.ClientError(f"closed: {message.type}")
        return str(message.data)

    async def _read(self) -> None:
        try:
            while True:
                await self.reading.wait()
                text = await self._receive()
                if text == PING:
                    await self._send(PONG)
                elif text[:2] == "42":
                    name, *arguments = json.loads(text[text.index(",") + 1 :])
                    self._on_event(name, arguments)
                elif text[:2] == "43":
                    self._answer(text[text.index(",") + 1 :])
                elif text[:2] in ("41", "1"):
                    break
        except (OSError, aiohttp.ClientError, Lost):
            pass
        finally:
            if self._socket is not None:
                with contextlib.suppress(Exception):
                    await self._socket.close()
            self._end()

    def _answer(self, text: str) -> None:
        start = text.index("[")
        waiting = self._waiting.get(int(text[:start]))
        if waiting is not None and not waiting.done():
            waiting.set_result(json.loads(text[start:])[0])

    def _end(self) -> None:
        self.gone.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Lost("gone"))
