"""A mechanism that is off is told from a change that does not work, by the tracebacks."""

from pathlib import Path

import pytest

from tests.reliability.changed_code import error_of_change

ROOT = Path("/copy")
CHANGED = ROOT / "web" / "relay.py"
TEST, CHANGED_FRAME = "/copy/tests/test_relay.py", "/copy/web/relay.py"
LIBRARY = "/venv/lib/python3.11/site-packages/sqlalchemy/sql.py"


def traceback(error: str, *files: str, prefix: str = "") -> str:
    frames = [f'  File "{file}", line {n}, in work\n    call()' for n, file in enumerate(files)]
    text = "\n".join(["Traceback (most recent call last):", *frames, error])
    return "\n".join(prefix + line for line in text.splitlines())


@pytest.mark.parametrize(
    "error",
    [
        "NameError: name 'x' is not defined",
        "UnboundLocalError: cannot access local variable 'x'",
        "AttributeError: 'Relay' object has no attribute 'find_or_make'",
        "ImportError: cannot import name 'x'",
        "ModuleNotFoundError: No module named 'x'",
        "TypeError: work() got an unexpected keyword argument 'x'",
        "TypeError: work() missing 1 required positional argument: 'x'",
        "TypeError: len() takes no keyword arguments",
        "TypeError: work() takes 1 positional argument but 2 were given",
    ],
)
def test_a_programming_error_of_the_changed_file_is_found(error: str) -> None:
    assert error_of_change(traceback(error, TEST, CHANGED_FRAME), CHANGED, ROOT) == error


@pytest.mark.parametrize(
    ("error", "files"),
    [
        ("AssertionError: assert 1 == 2", [TEST]),
        ("AttributeError: 'NoneType' object has no attribute 'x'", [TEST]),
        ("AttributeError: 'NoneType' object has no attribute 'x'", [CHANGED_FRAME, TEST]),
        ("AttributeError: 'X' object has no attribute 'x'", [TEST, "/copy/web/other.py"]),
        ("AttributeError: 'X' object has no attribute 'x'", [LIBRARY]),
        ("ValueError: no", [TEST, CHANGED_FRAME]),
        ("TypeError: 'NoneType' object is not iterable", [TEST, CHANGED_FRAME]),
    ],
    ids=[
        "assertion of the test",
        "wrong result in the test",
        "the changed file calls the test's fake",
        "another file of ours",
        "a library alone",
        "another kind of error",
        "a wrong value, not a wrong call",
    ],
)
def test_other_failures_are_those_of_the_mechanism(error: str, files: list[str]) -> None:
    assert error_of_change(traceback(error, *files), CHANGED, ROOT) == ""


def test_frames_of_libraries_below_the_changed_file_do_not_hide_it() -> None:
    text = traceback("AttributeError: no column x", TEST, CHANGED_FRAME, LIBRARY)
    assert error_of_change(text, CHANGED, ROOT) == "AttributeError: no column x"


def test_a_traceback_in_a_log_is_found_among_other_lines() -> None:
    logged = traceback("NameError: name 'x' is not defined", CHANGED_FRAME, prefix="web | ")
    text = f"web | relay.failed\n{logged}\nweb | more\n{traceback('AssertionError', TEST)}\n"
    assert error_of_change(text, CHANGED, ROOT) == "NameError: name 'x' is not defined"


def test_the_cause_of_another_error_is_found() -> None:
    cause = traceback("NameError: name 'x' is not defined", CHANGED_FRAME)
    text = (
        f"{cause}\n\nDuring handling of the above exception, another exception occurred:\n\n"
        f"{traceback('AssertionError', TEST)}"
    )
    assert error_of_change(text, CHANGED, ROOT) == "NameError: name 'x' is not defined"


def test_a_path_relative_to_the_tree_is_understood() -> None:
    text = traceback("NameError: name 'x' is not defined", "web/relay.py")
    assert error_of_change(text, CHANGED, ROOT) == "NameError: name 'x' is not defined"
