"""The commands of operators, as processes, at a whole stack."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.answers import talk
from tests.acceptance.conftest import Clients
from tests.support.gateways.demo_gateway import scripted
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack

Holdfast = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def operated() -> Iterator[Stack]:
    """A stack of its own."""
    made = Stack(STOP_TIMEOUT=3, RETENTION_DAYS=1)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def holdfast(operated: Stack) -> Holdfast:
    """Runs one command in the environment of the stack."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "deploy.cli", *arguments)
        environment = operated.environment_of({})
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def parsed(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_runs_are_listed_shown_tried_again_and_stopped(
    operated: Stack, holdfast: Holdfast, connect: Clients
) -> None:
    client = connect(operated)
    whole = client.run(scripted(say="a secret answer", rate=0), "first")
    client.end(whole)
    failed = client.run(scripted(say="half", rate=0, end="failed"), "second")
    client.end(failed)
    rows = {row["id"]: row for row in parsed(holdfast("runs", "list", "--json"))}
    assert (rows[whole]["state"], rows[failed]["state"]) == ("completed", "failed")
    only = parsed(holdfast("runs", "list", "--status", "failed", "--json"))
    assert [row["id"] for row in only] == [failed]
    shown = holdfast("runs", "show", whole)
    assert "first_token" in shown.stdout
    assert "secret" not in shown.stdout
    again = holdfast("runs", "retry", failed).stdout.split()[0]
    client.end(again)
    assert holdfast("runs", "retry", failed).stdout == f"{again} (started before)\n"
    refused = holdfast("runs", "retry", whole)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    live = client.run(talk(tokens=1000, rate=10), "third")
    client.wait_for("message.delta", lambda event: event["run_id"] == live)
    assert "was asked to stop" in holdfast("runs", "abort", live).stdout
    assert client.end(live)["status"] == "aborted"


def test_an_id_that_nothing_has_is_said_in_a_line_with_its_own_exit_code(
    holdfast: Holdfast,
) -> None:
    for command in (("runs", "show"), ("runs", "abort"), ("runs", "retry"), ("runs", "tail")):
        done = holdfast(*command, "run_nowhere")
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == "holdfast: there is no run 'run_nowhere'\n"
    assert holdfast("sessions", "delete", "nowhere").returncode == 3
    assert holdfast("sessions", "export", "nowhere").returncode == 3
    assert holdfast("runs").returncode == 2


def test_tail_follows_a_run_to_its_end_and_ends_as_it_did(
    operated: Stack, holdfast: Holdfast, connect: Clients
) -> None:
    client = connect(operated)
    whole = client.run(talk(tokens=20, rate=20), "tailed")
    done = holdfast("runs", "tail", whole)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == f"{whole}: completed"
    assert "run.started" in done.stdout
    assert "t1 " not in done.stdout
    assert "t1 t2 t3 " in holdfast("runs", "tail", whole, "--text").stdout
    failed = client.run(scripted(say="half", rate=0, end="failed"), "tailed")
    client.end(failed)
    assert holdfast("runs", "tail", failed).returncode == 4


def test_queues_and_workers_show_who_works_on_what(
    operated: Stack, holdfast: Holdfast, connect: Clients
) -> None:
    client = connect(operated)
    live = client.run(talk(tokens=1000, rate=10), "live")
    client.wait_for("message.delta", lambda event: event["run_id"] == live)
    workers = parsed(holdfast("workers", "--json"))
    (worker,) = [row for row in workers if row["live_runs"]]
    assert (worker["answers"], int(worker["pid"])) == ("yes", operated.workers[0].pid)
    assert {row["role"] for row in workers} == {"runs", "maintenance"}
    queues = parsed(holdfast("queues", "--json"))
    assert [row["live"] for row in queues["profiles"]] == [1]
    assert set(queues["queues"]) == {"runs", "takeover", "maintenance"}
    jobs = wait_until(lambda: parsed(holdfast("queues", "--json"))["jobs"], within=20)
    assert "reap" in {job["job"] for job in jobs}
    assert "runs" in holdfast("queues").stdout
    assert holdfast("runs", "abort", live).returncode == 0
    client.end(live)


def test_sessions_are_listed_exported_cleaned_up_and_deleted(
    operated: Stack, holdfast: Holdfast, connect: Clients
) -> None:
    client = connect(operated)
    for name in ("one", "two"):
        client.end(client.run(scripted(say="kept", rate=0), name))
    listed = parsed(holdfast("sessions", "list", "--json"))
    assert {"one", "two"} <= {row["id"] for row in listed["sessions"]}
    exported = json.loads(holdfast("sessions", "export", "one").stdout)
    assert exported["session"]["id"] == "one"
    file = operated.folder / "one.md"
    assert (
        holdfast("sessions", "export", "one", "--format", "md", "--output", str(file)).returncode
        == 0
    )
    assert "kept" in file.read_text()
    counted = parsed(holdfast("sessions", "gc", "--dry-run", "--json"))
    assert counted["expired"]["sessions"] == 0
    assert "deleted" not in counted
    cleaned = parsed(holdfast("sessions", "gc", "--retry-parked", "--json"))
    assert (cleaned["deleted"]["sessions"], cleaned["retried_deletions"]) == (0, 0)
    assert holdfast("sessions", "delete", "one", "two").returncode == 0
    left = parsed(holdfast("sessions", "list", "--json"))
    assert not {"one", "two"} & {row["id"] for row in left["sessions"]}


def test_the_shell_completes_commands_actions_and_options() -> None:
    def complete(*words: str) -> list[str]:
        script = f"""
            eval "$({sys.executable} -m deploy.cli completion bash)"
            COMP_WORDS=({" ".join(words)}) COMP_CWORD={len(words) - 1}
            _holdfast; printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert complete("holdfast", "ru") == ["runs"]
    assert complete("holdfast", "runs", "ta") == ["tail"]
    assert complete("holdfast", "runs", "list", "--st") == ["--status"]
