"""The names of the tasks, which processes of two versions must agree on (rolling upgrades), and
which of them are tried again."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast
from unittest.mock import Mock, call

import pytest
from celery import Celery

from shared.errors import DatabaseUnavailable
from shared.task_queue import ANSWER, CHECK_ORPHANS, CHECK_ORPHANS_FORMER
from worker import tasks


class Registry:
    """A Celery app as far as tasks are registered. A real one shares them with all other apps."""

    def __init__(self) -> None:
        self.tasks: dict[str, Callable[..., Any]] = {}

    def task(self, *, name: str, **_: object) -> Callable[..., Any]:
        return lambda function: self.tasks.setdefault(name, function)


def test_an_answer_is_tried_again_when_the_database_was_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliver = Mock(side_effect=[DatabaseUnavailable(), None])
    monkeypatch.setattr(tasks, "answer_approval", deliver)
    app, services = Celery("test", set_as_current=False), Mock()
    tasks.register_maintenance_tasks(app, services)
    assert app.tasks[ANSWER].apply(("run_1", 5)).successful()
    assert deliver.mock_calls == [call(services, "run_1", 5)] * 2


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
