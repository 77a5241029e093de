"""The log as JSON: what a program reads in it, and what nobody may find there (C24)."""

import io
import logging
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared import log_context
from shared.log_json import JsonFormatter

RUN = "run_" + "ab" * 16
anything = st.text(st.characters() | st.sampled_from("\r\n\x1b\x85\u2028\u202e\x00"), max_size=60)


def logged(write: Callable[[logging.Logger], None]) -> list[dict[str, Any]]:
    """The entries that `write` makes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("web"))
    log = logging.getLogger("names-json")
    log.setLevel("INFO")
    log.propagate = False
    log.addHandler(handler)
    try:
        copy_context().run(write, log)
    finally:
        log.removeHandler(handler)
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_has_its_fields_and_numbers_stay_numbers() -> None:
    (entry,) = logged(
        lambda log: log.info(
            "run.ended run_id=%s waited=%.3f fence=%s reason=%s", RUN, 0.25, 3, "-"
        )
    )
    at = entry.pop("ts")
    assert at.endswith("+00:00")
    assert entry == {
        "level": "INFO",
        "role": "web",
        "logger": "names-json",
        "event": "run.ended",
        "run_id": RUN,
        "waited": 0.25,
        "fence": 3,
        "reason": None,
        "trace_id": "ab" * 16,
    }


def test_a_name_that_says_its_outcome_is_whole() -> None:
    (entry,) = logged(lambda log: log.info("approval.%s run_id=%s", "done", RUN))
    assert (entry["event"], entry["run_id"]) == ("approval.done", RUN)


def test_lines_of_a_run_say_whose_it_is() -> None:
    def write(log: logging.Logger) -> None:
        log_context.bind(run_id=RUN, session_id=None, owner="alice")
        log.info("post.replayed gateway_run_id=%s", "g")

    (entry,) = logged(write)
    assert (entry["owner"], entry["run_id"], entry["trace_id"]) == ("alice", RUN, "ab" * 16)
    assert "session_id" not in entry
    (after,) = logged(lambda log: log.info("post.replayed gateway_run_id=%s", "g"))
    assert "owner" not in after


@given(name=anything, event=anything)
@example(name="half of a character: \ud83d", event="\udc00")
def test_an_entry_is_one_line_whatever_it_holds(name: str, event: str) -> None:
    entries = logged(lambda log: log.info("event.unknown name=%s event_name=%s", name, event))
    assert [entry["event"] for entry in entries] == ["event.unknown"]


def test_no_password_of_an_address_is_shown() -> None:
    (entry,) = logged(lambda log: log.info("it.failed error=%s", "redis://u:secret@h/0"))
    assert "secret" not in str(entry)


def test_a_library_s_line_is_a_message() -> None:
    (first,) = logged(lambda log: log.info("Connected to %s", "h"))
    (second,) = logged(lambda log: log.info("100%"))
    assert (first["event"], first["message"]) == ("log", "Connected to h")
    assert second["message"] == "100%"


def test_a_traceback_is_a_list_without_secrets() -> None:
    def write(log: logging.Logger) -> None:
        try:
            raise KeyError("http://u:secret@h")
        except KeyError:
            log.exception("it.failed")

    (entry,) = logged(write)
    assert entry["exception"][-1] == "KeyError: 'http://u:***@h'"


@pytest.fixture(autouse=True)
def without_context() -> Iterator[None]:
    """Nothing is bound by one test for the next."""
    assert not log_context.bound()
    yield
    assert not log_context.bound()
