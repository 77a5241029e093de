"""What the answers of a gateway mean (CASES C10, C16; R2, R7)."""

import math
import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from shared.errors import GatewayError, PostConflict
from worker.gateway import boundary
from worker.gateway.exchange import Answer
from worker.gateway.models import Capabilities
from worker.gateway.responses import is_replayed, retry_after, started_run


def waits(value: str, **headers: str) -> float | None:
    found = CaseInsensitiveDict({"Retry-After": value, **headers})
    return retry_after(Answer(503, found, b""))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), (" 7 ", 7), ("0", 0.1), ("1.5", 1.5), ("86400", 60), ("999999999999", 60)],
)
def test_seconds_are_kept_within_limits(value: str, seconds: float) -> None:
    assert waits(value) == seconds


@pytest.mark.parametrize(
    "value",
    ["", "nan", "inf", "-inf", "-5", "1e3", "1_000", "٣", "soon", "7 s", "7,8", "0x10", "9" * 400],
)
def test_nonsense_is_ignored(value: str) -> None:
    assert waits(value) is None


def test_a_date_counts_from_the_gateways_own_clock() -> None:
    now = formatdate(1_000_000_000, usegmt=True)
    assert waits(formatdate(1_000_000_020, usegmt=True), Date=now) == 20
    assert waits(formatdate(999_999_000, usegmt=True), Date=now) == 0.1
    assert waits(formatdate(2_000_000_000, usegmt=True), Date=now) == 60


@pytest.mark.parametrize("date", ["", "nonsense"])
def test_a_date_without_that_clock_counts_from_ours(date: str) -> None:
    found = waits(formatdate(time.time() + 30, usegmt=True), Date=date)
    assert found is not None
    assert 25 < found <= 31


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zone of this machine."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
)
def test_a_date_of_each_form_means_gmt_wherever_we_are(zone: str, form: str) -> None:
    now = formatdate(1_000_000_000, usegmt=True)
    assert waits(time.strftime(form, time.gmtime(1_000_000_020)), Date=now) == 20, zone
    assert waits(time.strftime(form, time.gmtime(999_999_000)), Date=now) == 0.1, zone


@pytest.mark.parametrize(
    "value",
    [
        *("7, 8", "7;8", '"7"', "+7", "7.", ".5", "7e0", "Infinity", "-0", "\u0667", "7\x00"),
        *("Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999999999 08:49:37 GMT", ", , ,"),
        "Sun, 06 Nov 1994 99:99:99 GMT",
    ],
)
def test_what_is_neither_a_number_nor_a_date_is_ignored(value: str) -> None:
    assert waits(value) is None


@given(st.text())
def test_no_header_raises_or_gives_a_wait_out_of_limits(value: str) -> None:
    found = waits(value)
    assert found is None or (math.isfinite(found) and 0.1 <= found <= 60)


def posted(status: int, body: bytes, **headers: str) -> Answer:
    return Answer(
        status, CaseInsensitiveDict({k.replace("_", "-"): v for k, v in headers.items()}), body
    )


@pytest.mark.parametrize(
    ("headers", "replayed"),
    [
        ({"Idempotency_Replayed": "true"}, True),
        ({"idempotency_replayed": " True "}, True),
        ({"Idempotency_Replayed": "false"}, False),
        ({"Idempotency_Replayed": ""}, False),
        ({}, False),
    ],
)
def test_a_header_says_that_the_gateway_had_the_run_before(
    headers: dict[str, str], *, replayed: bool
) -> None:
    answer = posted(202, b'{"run_id": "run_g", "status": "completed"}', **headers)
    assert is_replayed(answer) is replayed
    assert started_run(answer) == "run_g"


def test_a_key_that_has_another_request_is_no_common_refusal() -> None:
    conflict = b'{"error": {"code": "idempotency_key_conflict", "message": "used"}}'
    with pytest.raises(PostConflict):
        started_run(posted(409, conflict))
    for body in (b'{"error": {"code": "session_busy", "message": "no"}}', b"", b'{"error": "x"}'):
        with pytest.raises(GatewayError, match="HTTP 409"):
            started_run(posted(409, body))


@pytest.mark.parametrize(
    ("features", "offers"),
    [
        ({"runs_idempotency": {"supported": True, "durable": True}}, Capabilities(repeats=True)),
        ({"runs_idempotency": {"supported": True, "durable": False}}, Capabilities()),
        ({"runs_idempotency": {"supported": "yes", "durable": True}}, Capabilities()),
        ({"runs_idempotency": True}, Capabilities()),
        ({"run_steer": True}, Capabilities(steers=True)),
        ({"run_events_replay": True}, Capabilities(replays=True)),
        ([], Capabilities()),
        (None, Capabilities()),
    ],
)
def test_only_what_a_gateway_plainly_says_counts(features: object, offers: Capabilities) -> None:
    assert boundary.capabilities({"features": features}) == offers
