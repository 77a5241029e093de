"""Silence counts only while the broker answers."""

from worker.liveness.silence import Silence


def test_who_hears_nothing_though_the_broker_answers_is_deaf() -> None:
    silence = Silence(20, now=100)
    for at in range(100, 121):
        silence.asked(at, answered=True)
    assert not silence.is_deaf(120)
    assert silence.is_deaf(121)
    assert silence.seconds(121) == 21


def test_who_hears_something_now_and_then_is_not() -> None:
    silence = Silence(20, now=0)
    for at in range(0, 1000, 15):
        silence.heard(at)
        assert not silence.is_deaf(at + 15)


def test_while_the_broker_is_away_nobody_goes_deaf() -> None:
    silence = Silence(20, now=0)
    for at in range(0, 1000, 3):
        silence.asked(at, answered=False)
    assert not silence.is_deaf(1000)
    silence.asked(1003, answered=True)
    assert silence.is_deaf(1030), "but the time begins when it is back"


def test_an_older_sign_of_life_takes_nothing_back() -> None:
    silence = Silence(20, now=50)
    silence.heard(10)
    assert silence.seconds(60) == 10


def test_a_process_that_was_frozen_and_wakes_up_is_not_deaf() -> None:
    silence = Silence(20, now=0)
    silence.asked(3, answered=True)
    silence.asked(500, answered=True)
    assert not silence.is_deaf(500)
    for at in range(503, 524, 3):
        silence.asked(at, answered=True)
    assert silence.is_deaf(521), "but it is if it goes on hearing nothing"
