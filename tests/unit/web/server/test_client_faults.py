"""What clients do wrong is counted, and logged once a second of each kind (A5, C26)."""

import logging

import pytest

from web.server.client_faults import ClientFaults


def test_a_flood_of_faults_is_a_line_a_second_of_each_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    faults = ClientFaults(lambda: now[0])
    with caplog.at_level(logging.INFO):
        for number in range(10_000):
            now[0] = number / 1000
            faults.note("malformed_packet")
            faults.note("bad-sid")
    assert len(caplog.messages) == 20
    assert faults.counts == {"malformed_packet": 10_000, "bad-sid": 10_000}
    assert caplog.messages[-1].endswith("count=1000 total=9001")
