"""The gateway's journal holds the same as its record, and survives the process."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from urllib3.exceptions import HTTPError

from tests.chaos.evidence.journal import read_journal
from tests.support.gateways.demo_gateway import DemoGateway, scripted
from tests.support.servers.processes import wait_until


def test_the_journal_holds_posts_tokens_and_ends(tmp_path: Path) -> None:
    file = tmp_path / "gateway.jsonl"
    with DemoGateway.start(journal=file) as gateway:
        run_id = gateway.post(scripted(text="a{n};", tokens=3, rate=0), session_id="eph_1")
        wait_until(lambda: read_journal(file)[run_id].status == "completed")
    produced = read_journal(file)[run_id]
    assert produced.text == "a1;a2;a3;"
    assert produced.session_id == "eph_1"
    assert [message["role"] for message in produced.messages] == ["user", "assistant"]


def test_what_a_killed_gateway_had_said_is_known(tmp_path: Path) -> None:
    file = tmp_path / "gateway.jsonl"
    gateway = DemoGateway.start(journal=file)
    run_id = gateway.post(scripted(text="a{n};", tokens=3, rate=0, end="hang"))
    wait_until(lambda: len(read_journal(file)[run_id].tokens) == 3)
    gateway.kill()
    assert read_journal(file)[run_id].text == "a1;a2;a3;"
    assert read_journal(file)[run_id].status == ""


def test_a_stop_and_a_line_that_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "gateway.jsonl"
    note = {"what": "post", "run_id": "r", "session_id": "e", "at": 1.0, "pid": 1}
    stop = {"what": "stop", "run_id": "r", "at": 2.0, "pid": 1, "found": True}
    file.write_text(f'{json.dumps(note)}\n{json.dumps(stop)}\n{{"what": "tok')
    assert read_journal(file)["r"].stops == 1


def test_a_stream_is_cut_in_the_middle_of_a_line() -> None:
    with DemoGateway.start() as gateway:
        run_id = gateway.post(scripted(tokens=50, rate=0, cut_bytes=210))
        read: list[bytes] = []
        with gateway.reading(run_id) as lines, contextlib.suppress(OSError, HTTPError):
            read.extend(line for line in lines)
        assert len(read) < 6
        wait_until(lambda: gateway.status(run_id)["status"] == "completed")
