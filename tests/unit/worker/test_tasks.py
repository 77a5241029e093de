"""The names of the tasks, which processes of two versions must agree on (rolling upgrades)."""

from unittest.mock import Mock

import pytest
from celery import Celery

from shared.task_queue import CHECK_ORPHANS, CHECK_ORPHANS_FORMER
from worker import tasks


@pytest.mark.parametrize("name", [CHECK_ORPHANS, CHECK_ORPHANS_FORMER])
def test_orphaned_runs_are_checked_under_the_new_name_and_the_former_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Mock()
    monkeypatch.setattr(tasks, "check_orphaned_runs", check)
    monkeypatch.setattr(tasks, "Reaper", Mock())
    app = Celery("test", set_as_current=False)
    services = Mock()
    tasks.register_maintenance_tasks(app, services, Mock())
    app.tasks[name]()
    check.assert_called_once_with(services)
