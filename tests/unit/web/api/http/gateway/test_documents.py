"""Documents of gateways: shared, kept for seconds, and never more than one question at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from shared.hermes.profiles import Profile
from shared.net.fetch import Fetched
from tests.support.servers.processes import wait_until
from web.api.http.errors import ApiError
from web.api.http.gateway.documents import FAILED, FRESH, Documents

WORK = Profile("work", "http://gateway.invalid", api_key="secret-key")
HOME = Profile("home", "http://gateway.invalid")
PATH = "/v1/models"


def json(value: Any, status: int = 200) -> Fetched:
    return Fetched(status, orjson.dumps(value))


class Gateway:
    """Answers as the test says, and counts."""

    def __init__(self, answer: Callable[[], Fetched]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []
        self.let_go = threading.Event()
        self.let_go.set()
        self.now = 100.0
        self.documents = Documents(send=self.send, within=5.0, clock=lambda: self.now)

    def send(self, profile: Profile, path: str, *, seconds: float) -> Fetched:
        self.asked.append((profile.name, path))
        self.let_go.wait(10)
        return self.answer()

    def get(self, profile: Profile = WORK, path: str = PATH) -> Any:
        return self.documents.get(profile, path)


def test_requests_that_come_together_share_one_question() -> None:
    gateway = Gateway(lambda: json({"n": len(gateway.asked)}))
    gateway.let_go.clear()
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(gateway.get) for _ in range(10)]
        wait_until(lambda: gateway.asked, what="a question")
        gateway.let_go.set()
        assert [one.result()["n"] for one in waiting] == [1] * 10
    assert gateway.asked == [("work", PATH)]


def test_an_answer_counts_for_some_seconds() -> None:
    gateway = Gateway(lambda: json({"n": len(gateway.asked)}))
    found = []
    for later in (0.0, FRESH - 0.1, 0.2):
        gateway.now += later
        found.append(gateway.get()["n"])
    assert found == [1, 1, 2]


def test_profiles_and_documents_are_kept_apart() -> None:
    gateway = Gateway(lambda: json({"asked": gateway.asked[-1]}))
    assert gateway.get(WORK)["asked"] == ["work", PATH]
    assert gateway.get(HOME)["asked"] == ["home", PATH]
    assert gateway.get(WORK, "/health")["asked"] == ["work", "/health"]


def failing(error: Exception) -> Callable[[], Fetched]:
    def fail() -> Fetched:
        raise error

    return fail


DEEP = b'{"a":' * 300 + b"1" + b"}" * 300


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (failing(OSError("10.0.0.7 refused secret-key")), 503, "gateway_unreachable"),
        (failing(ValueError("odd")), 503, "gateway_unreachable"),
        (failing(KeyError("a bug")), 502, "gateway_error"),
        (lambda: json({"error": "secret-key"}, 404), 501, "gateway_unsupported"),
        (lambda: json({}, 429), 503, "gateway_busy"),
        (lambda: json({}, 503), 503, "gateway_busy"),
        (lambda: json({"error": "secret-key"}, 401), 502, "gateway_error"),
        (lambda: json({"error": "http://10.0.0.7"}, 500), 502, "gateway_error"),
        (lambda: json({}, 302), 502, "gateway_error"),
        (lambda: json([]), 502, "gateway_error"),
        (lambda: Fetched(200, b"<html>10.0.0.7"), 502, "gateway_error"),
        (lambda: Fetched(200, b'{"a": "\\ud800"}'), 502, "gateway_error"),
        (lambda: Fetched(200, DEEP), 502, "gateway_error"),
    ],
)
def test_a_failure_has_a_code_and_nothing_of_what_the_gateway_said(
    answer: Callable[[], Fetched], status: int, code: str
) -> None:
    gateway = Gateway(answer)
    with pytest.raises(ApiError) as caught:
        gateway.get()
    assert (caught.value.status, caught.value.error_code) == (status, code)
    assert "secret" not in str(caught.value)
    assert "10.0.0.7" not in str(caught.value)


def test_a_failure_counts_for_a_moment_only() -> None:
    gateway = Gateway(failing(OSError()))
    for _ in range(3):
        with pytest.raises(ApiError):
            gateway.get()
    assert len(gateway.asked) == 1
    gateway.answer = lambda: json({"is": "back"})
    gateway.now += FAILED + 0.1
    assert gateway.get() == {"is": "back"}


def test_a_gateway_that_hangs_is_not_asked_again_and_holds_nobody_for_long() -> None:
    gateway = Gateway(lambda: json({"is": "late"}))
    gateway.documents = Documents(send=gateway.send, within=0.05)
    gateway.let_go.clear()
    for _ in range(3):
        with pytest.raises(ApiError, match="does not answer"):
            gateway.get()
    assert len(gateway.asked) == 1
    gateway.let_go.set()
    wait_until(lambda: gateway.documents.last(WORK, PATH), what="the late answer")
    assert gateway.get() == {"is": "late"}


def test_the_last_answer_is_known_while_the_gateway_fails() -> None:
    gateway = Gateway(lambda: json({"is": "there"}))
    assert gateway.documents.last(WORK, PATH) is None
    gateway.get()
    gateway.answer = failing(OSError())
    gateway.now += FRESH + 1
    with pytest.raises(ApiError):
        gateway.get()
    assert gateway.documents.last(WORK, PATH) == {"is": "there"}
