"""The life cycle that all loops of a process have."""

import threading

import pytest

from shared.service import Service, periodic
from tests.support.servers.processes import wait_until


def test_it_starts_once_however_often_it_is_asked() -> None:
    started: list[str] = []

    def run() -> None:
        started.append("x")
        service.wait(5)

    service = Service("s", run)
    service.start()
    service.start()
    service.stop()
    assert started == ["x"]


def test_stop_joins_and_may_come_twice() -> None:
    ended = threading.Event()

    def run() -> None:
        service.wait(60)
        ended.set()

    service = Service("s", run)
    service.start()
    service.stop()
    assert ended.is_set()
    service.stop()


def test_stop_before_start_keeps_it_from_starting() -> None:
    started: list[str] = []
    service = Service("s", lambda: started.append("x"))
    service.stop()
    service.start()
    assert started == []


def test_it_may_stop_itself(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    def run() -> None:
        service.stop()
        ended.set()

    service = Service("s", run)
    service.start()
    assert ended.wait(10)
    assert "service.crashed" not in caplog.text


def test_a_loop_that_waits_for_something_else_is_woken() -> None:
    work = threading.Event()

    def run() -> None:
        work.wait(60)

    service = Service("s", run, wake=work.set)
    service.start()
    service.stop()
    assert work.is_set()


def test_one_that_crashed_is_not_healthy_and_one_that_was_stopped_is() -> None:
    def crash() -> None:
        raise ValueError

    def wait() -> None:
        stopped.wait(60)

    crashed, stopped = Service("c", crash), Service("s", wait)
    assert crashed.healthy
    crashed.start()
    stopped.start()
    wait_until(lambda: not crashed.healthy, what="the crash is seen")
    assert stopped.healthy
    stopped.stop()
    assert stopped.healthy


def test_periodic_work_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    rounds: list[int] = []

    def work() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise ValueError

    service = periodic("p", work, 0.01)
    service.start()
    wait_until(lambda: len(rounds) > 2, what="more rounds")
    service.stop()
    assert "service.failed name=p" in caplog.text
