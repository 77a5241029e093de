"""Requests with two readings are refused, others are not."""

from email.message import Message
from http.client import parse_headers
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http_rules import refusal


def headers(*pairs: tuple[str, str]) -> Message:
    made = Message()
    for name, value in pairs:
        made[name] = value
    return made


HOST = ("Host", "a")


@pytest.mark.parametrize(
    "more",
    [
        [],
        [("Content-Length", "0")],
        [("Content-Length", "12 ")],
        [("Cookie", "a=b"), ("Cookie", "c=d")],
        [("X-Odd", 'tab\tand "ü" \x85')],
    ],
)
def test_what_clients_send_is_served(more: list[tuple[str, str]]) -> None:
    assert refusal("HTTP/1.1", headers(HOST, *more)) is None


@pytest.mark.parametrize(
    "content", ["multipart/form-data; boundary=x", "multipart/mixed", "message/rfc822", "é/", ""]
)
def test_any_type_of_body_is_let_through(content: str) -> None:
    head = f"Host: a\r\nContent-Type: {content}\r\nContent-Length: 3\r\n\r\n"
    assert refusal("HTTP/1.1", parse_headers(BytesIO(head.encode("latin-1")))) is None


@pytest.mark.parametrize("line", ["no colon", " first: 1", ": no name", "a b: 1", "X : 1"])
def test_a_line_that_is_no_header_is_refused(line: str) -> None:
    for head in (f"{line}\r\nHost: a\r\n\r\n", f"Host: a\r\n{line}\r\nB: c\r\n\r\n"):
        assert refusal("HTTP/1.1", parse_headers(BytesIO(head.encode()))) is not None


def test_only_the_old_version_may_name_no_host() -> None:
    assert refusal("HTTP/1.0", headers()) is None
    assert refusal("HTTP/1.1", headers()) == (400, "Name one Host")
    assert refusal("HTTP/1.0", headers(HOST, HOST)) == (400, "Name one Host")


@given(st.text(max_size=30))
def test_a_length_is_digits_or_refused(text: str) -> None:
    found = refusal("HTTP/1.1", headers(HOST, ("Content-Length", text)))
    is_number = text.strip(" \t").isascii() and text.strip(" \t").isdigit()
    assert (found is None) == (is_number and len(text.strip(" \t")) <= 18)


@given(st.sampled_from(["chunked", "Chunked", "gzip, chunked", "identity", "", "x"]))
def test_any_transfer_encoding_is_asked_for_the_length(coding: str) -> None:
    found = refusal("HTTP/1.1", headers(HOST, ("transfer-ENCODING", coding)))
    assert found is not None
    assert found[0] == 411
