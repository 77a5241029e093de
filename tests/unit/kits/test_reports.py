"""A test that handles odd characters reports its result all the same."""

import logging

from tests.support.reports import sendable


def test_lone_surrogates_are_escaped_wherever_they_are() -> None:
    report = {"sections": [("log", "a\udf9cb")], "\ud83d": None, "longrepr": {"n": [1, "é"]}}
    assert sendable(report) == {
        "sections": [("log", "a\\udf9cb")],
        "\\ud83d": None,
        "longrepr": {"n": [1, "é"]},
    }


def test_a_test_that_logs_one_is_reported() -> None:
    logging.getLogger("tests").warning("half a character: \udf9c")
