"""Log lines with anything in them that clients send (C24)."""

import io
import logging
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.log_setup import SafeFormatter, configure

FORGED = "x\n2026-01-01 00:00:00,000 INFO web security.disabled by=admin"
anything = st.text(st.characters() | st.sampled_from("\r\n\x1b\x85\u2028\u202e\x00"), max_size=60)


def logged(write: Callable[[logging.Logger], None]) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter("%(levelname)s web %(name)s %(message)s"))
    log = logging.getLogger("names")
    log.setLevel("INFO")
    log.addHandler(handler)
    try:
        write(log)
    finally:
        log.removeHandler(handler)
    return stream.getvalue()


def is_quiet(text: str) -> bool:
    return not any(unicodedata.category(one) in {"Cc", "Zl", "Zp"} for one in text)


@given(name=anything, event=anything)
def test_an_entry_is_one_line_whatever_it_holds(name: str, event: str) -> None:
    shown = logged(lambda log: log.info("event.unknown name=%s event=%s", name, event))
    assert shown.endswith("\n")
    assert is_quiet(shown[:-1])
    assert shown.startswith("INFO web names event.unknown name=")


@given(text=anything)
def test_no_line_of_a_traceback_passes_for_an_entry(text: str) -> None:
    shown = logged(lambda log: fail(log, text))
    first, *rest = shown[:-1].split("\n")
    assert first == "ERROR web names it.failed"
    assert len(rest) > 3
    assert all(line.startswith("  | ") and is_quiet(line) for line in rest)


def fail(log: logging.Logger, text: str) -> None:
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            raise ValueError(text) from error
    except ValueError:
        log.exception("it.failed")


def test_a_forged_entry_is_seen_for_what_it_is() -> None:
    shown = logged(lambda log: log.info("event.unknown name=%s", FORGED))
    assert shown == f"INFO web names event.unknown name={FORGED}\n".replace("\n2", "\\n2")


def test_what_is_harmless_stays_as_it_is() -> None:
    text = "Zoë 漢字 😀 a\\nb"
    assert logged(lambda log: log.info(text)) == f"INFO web names {text}\n"


def test_the_log_of_a_process_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        configure("web", "INFO")
        logging.getLogger("any.library").error("said %s", FORGED)
    finally:
        root.handlers[:], root.level = handlers, level
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert " ERROR web any.library said x\\n2026" in lines[0]
