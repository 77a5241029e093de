"""A browser signs in, uses its cookie and signs out, with real web processes."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket

from shared.db.database import Database
from shared.db.migrate import upgrade
from shared.user_tokens import digest
from tests.integration.web.test_process import start_web
from tests.support.clients.chat_client import ChatClient
from tests.support.jwts import RULES, SECRET, secret_token
from tests.support.rows import run_row
from tests.support.servers.processes import Processes, RunningProcess
from tests.support.servers.redis_server import RedisServer

COOKIE = "holdfast-hf"
Headers = dict[str, str]


@dataclass
class Site:
    """Two web processes of one installation, and the file of their users."""

    urls: list[str]
    processes: list[RunningProcess]
    users: Path
    db: Database

    def write(self, users: dict[str, str], roles: str = "") -> None:
        lines = "".join(f'{name} = "{digest(token)}"\n' for name, token in users.items())
        draft = self.users.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(f"[users]\n{lines}[roles]\n{roles}")
        draft.replace(self.users)

    def log(self) -> str:
        return "".join(process.log() for process in self.processes)


USERS = {"alice": "token-of-alice", "bob": "token-of-bob"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    database_url = f"sqlite:///{home / 'test.db'}"
    upgrade(database_url)
    with ExitStack() as left:
        server = RedisServer()
        left.callback(server.stop)
        made = Site([], [], home / "users.toml", Database(database_url))
        left.callback(made.db.close)
        made.write(USERS, 'alice = "operator"\n')
        for number in range(2):
            folder = home / str(number)
            folder.mkdir()
            processes = Processes(folder)
            left.callback(processes.stop_all)
            url, process = start_web(
                processes,
                server.url,
                database_url,
                home,
                TOKENS_FILE=str(made.users),
                JWT_SECRET=SECRET,
                JWT_LEEWAY="0",
                RECHECK_SECONDS="0.5",
                TRUSTED_PROXIES="127.0.0.1/32",
                CORS_ORIGINS="https://friend.example",
                TOKEN_GUESSES="1000",
                **RULES,
            )
            made.urls.append(url)
            made.processes.append(process)
        yield made
        assert "Traceback" not in made.log()
        for secret in (*USERS.values(), SECRET, "eyJ", COOKIE):
            assert secret not in made.log()


@pytest.fixture
def url(site: Site) -> str:
    return site.urls[0]


def ask(method: str, url: str, path: str = "/auth/session", **more: Any) -> requests.Response:
    return requests.request(method, url + path, timeout=20, **more)


def sign_in(url: str, token: str = USERS["alice"], **headers: str) -> tuple[Morsel[str], Any]:
    """The cookie, and the answer."""
    answer = ask("POST", url, headers={"Authorization": f"Bearer {token}", **headers})
    assert answer.status_code == 200, answer.text
    (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    return cookie, answer.json()


def of(cookie: Morsel[str], **more: str) -> Headers:
    """The headers of a browser that has the cookie."""
    return {"Cookie": f"{cookie.key}={cookie.value}", **more}


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_browser_gets_a_cookie_that_no_script_and_no_other_site_can_use(url: str) -> None:
    cookie, shown = sign_in(url)
    assert cookie.key == COOKIE
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert (cookie["secure"], cookie["domain"]) == ("", "")
    assert int(cookie["max-age"]) == pytest.approx(43200, abs=5)
    assert (shown["owner"], shown["role"]) == ("alice", "operator")
    assert shown["expires_at"] == pytest.approx(time.time() + 43200, abs=5)
    assert "token" not in cookie.value


def test_over_https_the_cookie_is_for_https_and_this_host_alone(url: str) -> None:
    secure = {"X-Forwarded-Proto": "https"}
    cookie, _ = sign_in(url, **secure)
    assert (cookie.key, cookie["secure"]) == (f"__Host-{COOKIE}", True)
    assert ask("GET", url, headers=of(cookie, **secure)).json()["owner"] == "alice"
    tossed = {"Cookie": f"{COOKIE}={cookie.value}", **secure}
    assert ask("GET", url, headers=tossed).status_code == 401


def test_the_token_may_be_in_the_body_and_must_be_right(url: str) -> None:
    assert ask("POST", url, json={"token": "token-of-bob"}).json()["owner"] == "bob"
    assert code(ask("POST", url, json={"token": "wrong"})) == (401, "unauthenticated")
    assert code(ask("POST", url)) == (401, "unauthenticated")
    assert code(ask("POST", url, json={"token": 5})) == (400, "invalid_payload")
    assert code(ask("POST", url, json=["token"])) == (400, "invalid_payload")
    assert code(ask("POST", url, data="token=token-of-bob")) == (400, "invalid_payload")
    assert code(ask("POST", url, json={"token": "x" * 20_000})) == (413, "too_large")
    assert ask("POST", url, json={"token": "wrong"}).headers.get("Set-Cookie") is None


def test_one_can_ask_who_one_is(url: str) -> None:
    cookie, _ = sign_in(url)
    by_cookie = ask("GET", url, headers=of(cookie))
    assert (by_cookie.json()["owner"], by_cookie.json()["role"]) == ("alice", "operator")
    assert by_cookie.headers["Cache-Control"] == "no-store"
    by_token = ask("GET", url, headers={"Authorization": "Bearer token"}).json()
    assert by_token == {"ok": True, "owner": "default", "role": "user"}
    assert code(ask("GET", url)) == (401, "unauthenticated")
    broken = {"Cookie": f"{cookie.key}={cookie.value[:-2]}"}
    assert code(ask("GET", url, headers=broken)) == (401, "unauthenticated")


def test_a_token_that_is_sent_counts_and_never_the_cookie_instead(url: str) -> None:
    cookie, _ = sign_in(url)
    both = of(cookie, Authorization="Bearer token-of-bob")
    assert ask("GET", url, headers=both).json()["owner"] == "bob"
    wrong = of(cookie, Authorization="Bearer wrong")
    assert ask("GET", url, headers=wrong).status_code == 401


def post_run(url: str, headers: Headers, session_id: str = "s") -> requests.Response:
    return ask(
        "POST", url, "/runs", json={"input": "hi", "session_id": session_id}, headers=headers
    )


def test_a_cookie_changes_things_from_our_own_page_only(site: Site, url: str) -> None:
    cookie, _ = sign_in(url)
    assert code(post_run(url, of(cookie))) == (403, "foreign_origin")
    friend = of(cookie, Origin="https://friend.example")
    assert code(post_run(url, friend)) == (403, "foreign_origin")
    assert code(ask("GET", url, headers=friend)) == (403, "foreign_origin")
    by_token = {**friend, "Authorization": "Bearer token-of-bob"}
    assert ask("GET", url, headers=by_token).json()["owner"] == "bob"
    assert ask("GET", url, headers=of(cookie, Origin=url)).json()["owner"] == "alice"
    assert post_run(url, of(cookie, Origin="http://evil.example")).status_code == 403
    assert post_run(url, of(cookie, Origin="null")).status_code == 403
    other_port = url.rpartition(":")[0] + ":1"
    assert post_run(url, of(cookie, Origin=other_port)).status_code == 403
    assert post_run(url, of(cookie, **{"Sec-Fetch-Site": "same-site"})).status_code == 403
    accepted = post_run(url, of(cookie, Origin=url))
    assert accepted.status_code == 202
    assert run_row(site.db, accepted.json()["run_id"]).owner == "alice"


def test_signing_in_and_out_is_for_our_own_page_too(url: str) -> None:
    token = {"Authorization": "Bearer token-of-alice"}
    friend = {"Origin": "https://friend.example"}
    assert code(ask("POST", url, headers=token | friend)) == (403, "foreign_origin")
    cookie, _ = sign_in(url, Origin=url)
    assert code(ask("DELETE", url, headers=of(cookie))) == (403, "foreign_origin")
    assert code(ask("DELETE", url, headers=of(cookie, **friend))) == (403, "foreign_origin")
    assert ask("GET", url, headers=of(cookie)).status_code == 200


def test_a_sign_out_ends_the_cookie_in_every_process(site: Site) -> None:
    here, elsewhere = site.urls
    cookie, _ = sign_in(here)
    other, _ = sign_in(elsewhere)
    for url in site.urls:
        assert ask("GET", url, headers=of(cookie)).json()["owner"] == "alice"
    left = ask("DELETE", here, headers=of(cookie, Origin=here))
    assert left.json() == {"ok": True}
    (forgotten,) = SimpleCookie(left.headers["Set-Cookie"]).values()
    assert (forgotten.value, forgotten["max-age"]) == ("", "0")
    for url in site.urls:
        assert ask("GET", url, headers=of(cookie)).status_code == 401
        assert ask("GET", url, headers=of(other)).status_code == 200
    again = ask("DELETE", here, headers=of(cookie, Origin=here))
    assert again.json() == ask("DELETE", here).json() == {"ok": True}


# -- sockets -----------------------------------------------------------------------------------


class Socket:
    """A WebSocket as a browser opens it: its cookie and its page are in the handshake."""

    def __init__(self, url: str, auth: object, headers: Headers) -> None:
        self._line = websocket.create_connection(
            url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket",
            timeout=20,
            header=headers,
            suppress_origin=True,
        )
        self._line.recv()
        self.answer = self.connect(auth)

    def connect(self, auth: object) -> Any:
        self._line.send("40/chat-run," + json.dumps(auth))
        return self.next()

    def next(self) -> Any:
        """The next packet of our namespace, its kind first; None: the connection was closed."""
        try:
            while (text := str(self._line.recv())) == "2":
                self._line.send("3")
        except (OSError, websocket.WebSocketException):
            return None
        return (text[:2], json.loads(text.partition(",")[2].lstrip("7"))) if text else None

    @property
    def is_in(self) -> bool:
        return self.answer is not None and self.answer[0] == "40"

    def connect_again(self) -> bool:
        """Leave the namespace and come back on the same connection; whether it was let in."""
        self._line.send("41/chat-run,")
        answer = self.connect({})
        return answer is not None and answer[0] == "40"

    def run(self) -> str:
        """The id of a new run."""
        self._line.send('42/chat-run,7["run",{"input":"hi"}]')
        while (packet := self.next()) is not None and packet[0] != "43":
            continue
        assert packet is not None
        return str(packet[1][0]["run_id"])

    def is_closed(self, within: float) -> bool:
        """Whether the server closes it in time."""
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            self._line.settimeout(left)
            try:
                if not (text := self._line.recv()):
                    return True
                if text == "2":
                    self._line.send("3")
            except websocket.WebSocketTimeoutException:
                return False
            except (OSError, websocket.WebSocketException):
                return True
        return False

    def close(self) -> None:
        self._line.close(timeout=0)


@pytest.fixture
def open_socket() -> Iterator[Any]:
    made: list[Socket] = []

    def connect(url: str, auth: object = None, **headers: str) -> Socket:
        made.append(Socket(url, auth or {}, headers))
        return made[-1]

    yield connect
    for socket in made:
        socket.close()


def test_a_socket_of_our_own_page_comes_in_by_its_cookie(
    site: Site, url: str, open_socket: Any
) -> None:
    cookie, _ = sign_in(url)
    socket = open_socket(url, **of(cookie, Origin=url))
    assert socket.is_in
    assert run_row(site.db, socket.run()).owner == "alice"
    polls_first = open_socket(url, **of(cookie, **{"Sec-Fetch-Site": "same-origin"}))
    assert polls_first.is_in


def test_a_client_that_polls_comes_in_by_its_cookie(url: str) -> None:
    cookie, _ = sign_in(url)
    headers = of(cookie, **{"Sec-Fetch-Site": "same-origin"})
    path = "/socket.io/?EIO=4&transport=polling"
    opened = ask("GET", url, path, headers=headers).text
    path += f"&sid={json.loads(opened[1:])['sid']}"
    sent = ask("POST", url, path, data="40/chat-run,", headers=of(cookie, Origin=url))
    assert sent.status_code == 200
    assert ask("GET", url, path, headers=headers).text.startswith("40/chat-run,")
    ask("POST", url, path, data="1", headers=headers)


def test_a_connection_that_came_by_a_cookie_may_be_used_again_until_that_ends(
    url: str, open_socket: Any
) -> None:
    cookie, _ = sign_in(url)
    socket = open_socket(url, **of(cookie, Origin=url))
    assert socket.is_in
    assert socket.connect_again()
    ask("DELETE", url, headers=of(cookie, Origin=url))
    assert not socket.connect_again()
    by_token = open_socket(url, {"token": "token-of-bob"}, **of(cookie, Origin=url))
    assert by_token.is_in
    assert not by_token.connect_again()


def test_a_socket_of_another_page_or_of_none_does_not(url: str, open_socket: Any) -> None:
    cookie, _ = sign_in(url)
    for headers in (
        {},
        {"Origin": "https://friend.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        socket = open_socket(url, **of(cookie, **headers))
        assert not socket.is_in
        assert "cookie" in socket.answer[1]["message"]
    with_token = open_socket(
        url, {"token": "token-of-bob"}, **of(cookie, Origin="https://friend.example")
    )
    assert with_token.is_in


def test_a_wrong_token_is_not_mended_by_a_cookie(url: str, open_socket: Any) -> None:
    cookie, _ = sign_in(url)
    socket = open_socket(url, {"token": "wrong"}, **of(cookie, Origin=url))
    assert socket.answer == ("44", {"message": "Authentication failed"})
    for nothing in (None, ""):
        assert open_socket(url, {"token": nothing}, **of(cookie, Origin=url)).is_in


def test_after_a_sign_out_its_sockets_are_closed_and_no_others(
    site: Site, open_socket: Any
) -> None:
    here, elsewhere = site.urls
    cookie, _ = sign_in(here)
    kept, _ = sign_in(here)
    ending = [open_socket(url, **of(cookie, Origin=url)) for url in site.urls]
    staying = open_socket(elsewhere, **of(kept, Origin=elsewhere))
    assert all(socket.is_in for socket in (*ending, staying))
    ask("DELETE", here, headers=of(cookie, Origin=here))
    assert all(socket.is_closed(within=10) for socket in ending)
    assert not staying.is_closed(within=1)
    assert not open_socket(here, **of(cookie, Origin=here)).is_in


def test_what_came_by_a_token_that_was_taken_out_ends(
    site: Site, url: str, open_socket: Any
) -> None:
    cookie, _ = sign_in(url, "token-of-bob")
    ending = [
        open_socket(url, {"token": "token-of-bob"}),
        open_socket(url, **of(cookie, Origin=url)),
    ]
    staying = [open_socket(url, {"token": token}) for token in ("token-of-alice", "token")]
    staying.append(open_socket(url, {"token": secret_token(sub="bob")}))
    assert all(socket.is_in for socket in (*ending, *staying))
    try:
        site.write({"alice": "token-of-alice", "bob": "a-new-token-of-bob"})
        assert all(socket.is_closed(within=10) for socket in ending)
        assert not any(socket.is_closed(within=0.7) for socket in staying)
        assert ask("GET", url, headers=of(cookie)).status_code == 401
        assert not open_socket(url, {"token": "token-of-bob"}).is_in
        assert "tokens.ended closed=" in site.log()
    finally:
        site.write(USERS, 'alice = "operator"\n')


def test_what_came_by_a_jwt_ends_with_it(url: str, open_socket: Any) -> None:
    ends = int(time.time()) + 4
    short, long = secret_token(exp=ends), secret_token()
    cookie, shown = sign_in(url, short)
    assert (shown["owner"], shown["expires_at"]) == ("alice", ends)
    ending = [open_socket(url, {"token": short}), open_socket(url, **of(cookie, Origin=url))]
    staying = open_socket(url, {"token": long})
    assert all(socket.is_in for socket in (*ending, staying))
    assert all(socket.is_closed(within=15) for socket in ending)
    assert time.time() >= ends
    assert not staying.is_closed(within=0.7)
    assert ask("GET", url, headers=of(cookie)).status_code == 401
    assert ask("GET", url, headers={"Authorization": f"Bearer {short}"}).status_code == 401


def test_a_role_that_is_changed_counts_for_a_cookie_at_once(site: Site, url: str) -> None:
    cookie, shown = sign_in(url)
    assert shown["role"] == "operator"
    try:
        site.write(USERS, 'alice = "admin"\ndefault = "admin"\n')
        assert ask("GET", url, headers=of(cookie)).json()["role"] == "admin"
        shared = ask("GET", url, headers={"Authorization": "Bearer token"}).json()
        assert shared["role"] == "admin"
    finally:
        site.write(USERS, 'alice = "operator"\n')


# -- users with JWTs ---------------------------------------------------------------------------


def test_two_users_with_jwts_see_nothing_of_each_other(site: Site, url: str) -> None:
    carol, dave = (secret_token(sub=f"auth0|{name}") for name in ("carol", "dave"))
    session_id = uuid.uuid4().hex
    hers, his = (ChatClient(url, auth={"token": token}) for token in (carol, dave))
    run_id = hers.call("run", {"input": "hi", "session_id": session_id})["run_id"]
    assert run_row(site.db, run_id).owner == "auth0|carol"
    for event in ("abort", "queue.cancel", "approval"):
        for names in ({"run_id": run_id}, {"session_id": session_id}):
            unknown = dict.fromkeys(names, "unknown")
            asked = [his.call(event, {**ids, "choice": "once"}) for ids in (names, unknown)]
            assert asked[0] == asked[1]
    his.call("resume", {"session_id": session_id})
    assert his.named("resumed")[0]["messages"] == []
    assert his.named("resumed")[0]["isWorking"] is False
    posted = post_run(url, {"Authorization": f"Bearer {dave}"}, session_id).json()
    assert run_row(site.db, posted["run_id"]).owner == "auth0|dave"
    assert {p.get("run_id") for _, p in hers.received} <= {run_id, None}
    his.call("resume", {"session_id": session_id})
    assert run_row(site.db, run_id).state == "queued"
    for client in (hers, his):
        client.close()
