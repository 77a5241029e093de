"""More than can be served: another user's runs all at once, and clients that ask and ask."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import requests
from sqlalchemy import text

from shared.errors import DatabaseUnavailable
from tests.chaos.faults.base import Fault
from tests.support.gateways.demo_gateway import scripted
from tests.support.servers.stack import TOKEN

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

NEIGHBOUR_TOKEN = "the-token-of-the-neighbour"
LEAST, MOST = 40, 120  # runs of a burst: several times the slots of the stage
SESSIONS = 10
POLLERS = 8
PATIENCE = 5.0  # seconds; a poll without news lasts longer
ENDED_WITHIN = 60.0  # seconds
_OPEN = text("SELECT count(*) FROM runs WHERE session_id LIKE :tag AND ended_at IS NULL")
REFUSED = frozenset({429, 503})
# A poll whose connection came to another process finds its socket unknown.
HARMLESS = REFUSED | {200, 202, 204, 400, 404}


class OverloadBurst(Fault):
    """Another user starts several times as many runs as there are slots, within a second or so. It
    lasts until the last of them has ended."""

    resource, weight = "load", 3
    holds = (1.0, 3.0)

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.tag = f"burst{rng.randrange(10**6)}"
        self.count = rng.randrange(LEAST, MOST)

    def inject(self, stage: Stage) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = Counter(pool.map(lambda n: self._start(stage.url, n), range(self.count)))
        self.detail = ", ".join(f"{number} times {code}" for code, number in answers.items())

    def heal(self, stage: Stage) -> None:
        deadline = time.monotonic() + ENDED_WITHIN
        while self._open(stage) and time.monotonic() < deadline:
            time.sleep(0.2)

    def _open(self, stage: Stage) -> bool:
        try:
            return bool(stage.db.single(lambda tx: tx.scalar(_OPEN, {"tag": f"{self.tag}-%"})))
        except DatabaseUnavailable:
            return True

    def _start(self, url: str, number: int) -> int | str:
        prompt = scripted(text=f"{self.tag}x{number}.{{n}};", tokens=15, rate=20)
        asked = {"input": prompt, "session_id": f"{self.tag}-{number % SESSIONS}"}
        try:
            answer = requests.post(
                f"{url}/v1/runs", json=asked, headers=_key(NEIGHBOUR_TOKEN), timeout=15
            )
        except requests.RequestException as error:
            return type(error).__name__  # as everybody else: a web process may be away
        return answer.status_code


class PollingClients(Fault):
    """Clients without WebSocket ask for everything, again and again, without a pause."""

    resource, weight = "clients", 3
    holds = (1.0, 5.0)

    def inject(self, stage: Stage) -> None:
        self._over = threading.Event()
        self._answers: Counter[int | str] = Counter()
        work = [self._ask_for_lists] * (POLLERS // 2) + [self._poll_socket] * (POLLERS // 2)
        self._threads = [threading.Thread(target=each, args=(stage.url,)) for each in work]
        for thread in self._threads:
            thread.start()

    def heal(self, stage: Stage) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.detail = ", ".join(f"{n} times {code}" for code, n in self._answers.items())
        wrong = {c: n for c, n in self._answers.items() if isinstance(c, int) and c not in HARMLESS}
        assert not wrong, f"answers: {wrong}"

    def _ask_for_lists(self, url: str) -> None:
        session = f"/api/sessions/s{self.number % 10}"
        paths = ("/api/sessions?limit=20", f"{session}/messages?limit=50", session)
        with requests.Session() as http:
            http.headers.update(_key(TOKEN))
            while not self._over.is_set():
                for path in (*paths, "/v1/runs?limit=20", "/api/queue"):
                    self._ask(http, "GET", url + path)

    def _poll_socket(self, url: str) -> None:
        """A Socket.IO client on one connection; so all its requests reach one process."""
        where = f"{url}/socket.io/?EIO=4&transport=polling"
        while not self._over.is_set():
            with requests.Session() as http:
                opened = self._ask(http, "GET", where)
                if opened is None or opened.status_code != 200:
                    self._over.wait(0.1)
                    continue
                here = f"{where}&sid={_sid(opened)}"
                self._ask(http, "POST", here, data=f'40/chat-run,{{"token":"{TOKEN}"}}')
                asked = f'42/chat-run,0["resume",{{"session_id":"s{self.number % 10}"}}]'
                self._ask(http, "GET", here)
                self._ask(http, "POST", here, data=asked)
                for _ in range(3):
                    self._ask(http, "GET", here)

    def _ask(
        self, http: requests.Session, method: str, url: str, **fields: Any
    ) -> requests.Response | None:
        try:
            answer = http.request(method, url, timeout=PATIENCE, **fields)
        except requests.RequestException as error:
            self._answers[type(error).__name__] += 1
            return None
        self._answers[answer.status_code] += 1
        return answer


def _sid(handshake: requests.Response) -> str:
    return str(json.loads(handshake.text[1:])["sid"])


def _key(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
