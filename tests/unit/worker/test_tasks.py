"""The names of the tasks, which processes of two versions must agree on (rolling upgrades)."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import Mock

import pytest

from shared.task_queue import CHECK_ORPHANS, CHECK_ORPHANS_FORMER
from worker import tasks


class Registry:
    """A Celery app as far as tasks are registered. A real one shares them with all other apps."""

    def __init__(self) -> None:
        self.tasks: dict[str, Callable[..., Any]] = {}

    def task(self, *, name: str, **_: object) -> Callable[..., Any]:
        return lambda function: self.tasks.setdefault(name, function)


@pytest.mark.parametrize("name", [CHECK_ORPHANS, CHECK_ORPHANS_FORMER])
def test_orphaned_runs_are_checked_under_the_new_name_and_the_former_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Mock()
    monkeypatch.setattr(tasks, "check_orphaned_runs", check)
    monkeypatch.setattr(tasks, "Reaper", Mock())
    registry, services, jobs = Registry(), Mock(), Mock()
    jobs.run.side_effect = lambda job, every, work: work()
    tasks.register_periodic_tasks(cast("Any", registry), services, Mock(), jobs, defaultdict(float))
    registry.tasks[name]()
    check.assert_called_once_with(services)
