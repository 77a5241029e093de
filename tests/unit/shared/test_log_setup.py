"""Log lines with anything in them that clients send (C24)."""

import io
import logging
import subprocess
import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.supervisor.prefixed_output import PrefixedOutput
from shared.errors import SettingsError
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at redis://:hidden@h:1/0", "at redis://:***@h:1/0"),
        ("at rediss://user:hid@den@h/0?x=1", "at rediss://user:***@h/0?x=1"),
        ("postgresql+psycopg://u:hidden@/d", "postgresql+psycopg://u:***@/d"),
        ("host=h password=hidden user=u", "host=h password=*** user=u"),
        ("h/d?password=hidden&a=b", "h/d?password=***&a=b"),
        ("{'Authorization': 'Bearer hidden'}", "{'Authorization': 'Bearer ***'}"),
        ("authorization: bearer hidden", "authorization: bearer ***"),
        ("two://a:hidden@h and redis://:hidden@i", "two://a:***@h and redis://:***@i"),
        ("http://h:8642/v1", "http://h:8642/v1"),
        ("http://[::1]:8642/a@b", "http://[::1]:8642/a@b"),
        ("mail a:b@c, 10:30", "mail a:b@c, 10:30"),
    ],
)
def test_no_secret_of_an_address_or_a_header_is_logged(text: str, shown: str) -> None:
    assert logged(lambda log: log.info("x error=%s", text)) == f"INFO web names x error={shown}\n"
    assert "hidden" not in logged(lambda log: fail(log, text))


def test_a_long_text_is_cut_and_says_so() -> None:
    shown = logged(lambda log: log.info("x error=%s", "é" * 10_000_000))
    assert len(shown) < 10_000
    assert "more characters" in shown
    assert len(logged(lambda log: fail(log, "a\n" * 100_000))) < 1_000_000


def test_what_ends_a_process_is_logged_as_everything_else() -> None:
    code = (
        "from shared.log_setup import configure\nconfigure('web', 'INFO')\n"
        "raise ValueError('x\\n2026-01-01 forged redis://:hidden@h \\x1b[31m')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    first, *rest = done.stderr.splitlines()
    assert done.returncode == 1
    assert first.endswith("CRITICAL web process process.crashed")
    assert all(line.startswith("  | ") for line in rest)
    assert "hidden" not in done.stderr
    assert "\x1b" not in done.stderr


def test_faults_of_settings_are_one_line_each() -> None:
    error = SettingsError(["PROFILES_FILE: profile a\n  - b\x1b[2J", "REDIS_URL: redis://:pw@h"])
    assert str(error).count("\n") == 2
    assert "pw" not in str(error)


def test_lines_of_other_programs_cannot_steer_the_terminal() -> None:
    stream = io.StringIO()
    PrefixedOutput(stream, coloured=False).write_line("flower", "404 /\x1b[2J\u202e\rholdfast | x")
    assert stream.getvalue() == "flower   | 404 /\\x1b[2J\\u202e\\rholdfast | x\n"
