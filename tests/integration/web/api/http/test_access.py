"""Who may use the HTTP API, and until when: tokens, cookies, guesses and rates, in its envelope."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.db.migrate import upgrade
from shared.user_tokens import digest
from tests.integration.web.test_process import start_web
from tests.support.http_api import ApiClient, EventStream
from tests.support.servers.processes import Processes
from tests.support.servers.redis_server import RedisServer
from tests.support.web_stand import WebStand

FRIEND = "https://friend.example"
USERS = {"alice": "token-of-alice", "bob": "token-of-bob"}


class Site:
    """A web process whose users can be changed."""

    def __init__(self, home: Path, left: ExitStack) -> None:
        self.users = home / "users.toml"
        self.write(USERS)
        database_url = f"sqlite:///{home / 'test.db'}"
        upgrade(database_url)
        server = RedisServer()
        left.callback(server.stop)
        processes = Processes(home)
        left.callback(processes.stop_all)
        settings = {
            "TOKENS_FILE": str(self.users),
            "RECHECK_SECONDS": "0.2",
            "REQUESTS_PER_SECOND": "1",
            "TOKEN_GUESSES": "3",
            "CORS_ORIGINS": FRIEND,
        }
        self.url, self.process = start_web(
            processes, server.url, database_url, home, name="access", **settings
        )
        self.stand = WebStand(server.url, database_url)
        left.callback(self.stand.stop)

    def write(self, users: dict[str, str]) -> None:
        draft = self.users.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text("[users]\n" + "".join(f'{n} = "{digest(t)}"\n' for n, t in users.items()))
        draft.replace(self.users)

    def client(self, name: str) -> ApiClient:
        return ApiClient(self.url, USERS[name])

    def sign_in(self, name: str) -> str:
        """The header of the cookie."""
        answer = requests.post(
            f"{self.url}/auth/session",
            headers={"Authorization": f"Bearer {USERS[name]}"},
            timeout=20,
        )
        (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
        return f"{cookie.key}={cookie.value}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        return requests.request(
            method,
            self.url + path,
            json=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            timeout=20,
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as left:
        found = Site(tmp_path, left)
        yield found
        assert "Traceback" not in found.process.log()


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def ended(stream: EventStream) -> threading.Event:
    """Is set when the stream is over, cut or not."""
    over = threading.Event()

    def read() -> None:
        with suppress(requests.RequestException):
            list(stream)
        over.set()

    threading.Thread(target=read, daemon=True).start()
    return over


def test_the_stream_of_a_token_that_is_taken_out_ends_and_no_other(site: Site) -> None:
    streams = {}
    for name in USERS:
        client = site.client(name)
        streams[name] = ended(client.events(client.start("x")))
    site.write({"alice": "a-new-token", "bob": USERS["bob"]})
    assert streams["alice"].wait(10)
    assert not streams["bob"].wait(1)
    assert "tokens.ended closed=1" in site.process.log()
    answer = site.client("alice").get("/v1/runs")
    assert code(answer) == (401, "invalid_api_key")


def test_the_stream_of_a_cookie_ends_with_its_sign_out(site: Site) -> None:
    cookie, run_id = site.sign_in("alice"), site.client("alice").start("x")
    kept = ended(site.client("alice").events(run_id))
    response = requests.get(
        f"{site.url}/v1/runs/{run_id}/events", headers={"Cookie": cookie}, stream=True, timeout=30
    )
    assert response.status_code == 200
    over = ended(EventStream(response))
    site.ask("DELETE", "/auth/session", Cookie=cookie, Origin=site.url)
    assert over.wait(10)
    assert not kept.wait(1)


def test_a_cookie_counts_for_requests_of_the_own_page_only(site: Site) -> None:
    cookie = site.sign_in("alice")
    body = {"input": "x"}
    mine = site.ask("POST", "/v1/runs", body, Cookie=cookie, Origin=site.url)
    assert mine.status_code == 202
    assert site.ask("GET", "/v1/runs", Cookie=cookie).status_code == 200
    for method, headers in (
        ("POST", {"Origin": FRIEND}),
        ("GET", {"Origin": FRIEND}),
        ("POST", {}),
        ("POST", {"Sec-Fetch-Site": "cross-site"}),
    ):
        answer = site.ask(method, "/v1/runs", body, Cookie=cookie, **headers)
        assert code(answer) == (403, "foreign_origin")
    assert len(site.client("alice").get("/v1/runs").json()["data"]) == 1


def test_runs_of_one_user_over_both_paths_have_one_rate(site: Site) -> None:
    token = f"Bearer {USERS['alice']}"
    answers = [
        site.ask("POST", path, {"input": "x", "session_id": uuid.uuid4().hex}, Authorization=token)
        for path in ("/v1/runs", "/runs") * 8
    ]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) in range(10, 13)
    assert {code(answer) for answer in refused} == {(429, "too_many_requests")}
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"10"}
    assert site.client("bob").post("/v1/runs", {"input": "x"}).status_code == 202


def test_the_limit_of_starts_is_told_with_what_is_left_of_it(site: Site) -> None:
    alice = site.client("alice")

    def budget() -> list[int]:
        headers = alice.post("/v1/runs", {"input": "x"}).headers
        return [int(headers[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")]

    limit, remaining, reset = budget()
    assert (limit, remaining) == (10, 9)
    assert reset == 1
    assert budget()[1] < remaining
    me = alice.get("/api/me")
    assert me.headers["RateLimit-Limit"] == "50000"
    assert me.json()["limits"]["starts"]["remaining"] < remaining
    assert "RateLimit-Limit" not in site.ask("GET", "/api/me").headers


def test_sign_ins_of_one_user_have_a_rate(site: Site) -> None:
    token = f"Bearer {USERS['alice']}"
    answers = [site.ask("POST", "/auth/session", Authorization=token) for _ in range(14)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) in range(10, 13)
    assert {code(answer) for answer in refused} == {(429, "too_many_requests")}
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"10"}
    assert refused[0].headers["RateLimit-Remaining"] == "0"
    shown = site.ask("GET", "/auth/session", Authorization=token)
    assert (shown.status_code, shown.headers["RateLimit-Limit"]) == (200, "50000")
    bob = f"Bearer {USERS['bob']}"
    assert site.ask("POST", "/auth/session", Authorization=bob).status_code == 200


def test_too_many_wrong_tokens_are_429_and_the_right_one_still_counts(site: Site) -> None:
    def guess() -> requests.Response:
        return site.ask("GET", "/v1/runs", Authorization="Bearer wrong")

    answers = [guess() for _ in range(10)]
    answer = answers[-1]
    assert code(answers[0]) == (401, "invalid_api_key")
    assert code(answer) == (429, "invalid_api_key")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert "WWW-Authenticate" not in answer.headers
    assert answer.headers["Retry-After"]
    assert site.client("alice").get("/v1/runs").status_code == 200
