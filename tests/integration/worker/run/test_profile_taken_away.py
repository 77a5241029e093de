"""A run of a user whose right to its profile was taken away while it waited (A14)."""

from pathlib import Path

import pytest

from shared.db.models import RunRow
from shared.user_tokens import digest
from tests.integration.conftest import MakeWorker
from tests.support.rows import OWNER
from tests.support.worker_stand import WorkerStand
from worker.run.run_turn import run_turn


def permit(file: Path, users: dict[str, str], limits: str) -> None:
    lines = "\n".join(f'{name} = "{digest(token)}"' for name, token in users.items())
    file.write_text(f"[users]\n{lines}\n[profiles]\n{limits}\n")
    file.chmod(0o600)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.toml"


@pytest.fixture
def stand(make_worker: MakeWorker, database_url: str, file: Path) -> WorkerStand:
    permit(file, {OWNER: "a", "other": "b"}, f'{OWNER} = ["default"]')
    return make_worker(database_url, TOKENS_FILE=str(file))


TAKEN_AWAY = [
    ({OWNER: "a"}, f"{OWNER} = []"),
    ({OWNER: "a"}, f'{OWNER} = ["work"]'),
    ({OWNER: "a"}, '"*" = ["work"]'),
]


@pytest.mark.parametrize(("users", "limits"), TAKEN_AWAY)
def test_it_fails_and_is_not_posted(
    users: dict[str, str], limits: str, stand: WorkerStand, file: Path
) -> None:
    run_id = stand.queue()
    permit(file, users, limits)
    run_turn(stand.services, run_id)
    assert stand.state(run_id) == "failed"
    assert "may not be used any more" in stand.event(run_id, "run.failed")["error"]
    assert stand.posts("eph") == []
    permit(file, {OWNER: "a"}, f'{OWNER} = ["default"]')
    assert stand.state(stand.run()) == "completed"


def test_a_worker_that_has_no_such_file_leaves_it_to_those_who_accept(
    make_worker: MakeWorker, database_url: str, file: Path
) -> None:
    stand = make_worker(database_url, TOKENS_FILE=str(file))
    assert stand.state(stand.run()) == "completed"


def test_a_file_that_broke_stays_in_force_as_it_was(stand: WorkerStand, file: Path) -> None:
    assert stand.state(stand.run()) == "completed"
    file.write_text("[users")
    assert stand.state(stand.run()) == "completed"


def test_a_run_that_is_posted_already_goes_on_with_its_next_owner(
    stand: WorkerStand, file: Path
) -> None:
    run_id = stand.queue()
    turn = stand.begin(run_id)
    stand.wait_for_post("eph")
    permit(file, {OWNER: "a"}, f"{OWNER} = []")
    turn.join(20)
    assert stand.db.read(lambda tx: tx.get_one(RunRow, run_id)).state == "completed"
