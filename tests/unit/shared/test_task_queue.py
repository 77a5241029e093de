"""What Celery is told, whatever the environment says (C20)."""

import os

import pytest

from shared.celery_savings import OneClientTransport
from shared.settings import Settings
from shared.task_queue import celery_app

OURS = "redis://127.0.0.1:7/3"


@pytest.mark.parametrize(
    "name",
    [
        "CELERY_BROKER_URL",
        "CELERY_BROKER_READ_URL",
        "CELERY_BROKER_WRITE_URL",
        "CELERY_RESULT_BACKEND",
        "CELERY_LOADER",
        "CELERY_CONFIG_MODULE",
        "CELERY_WORKER_AUTOSCALE",
        "DJANGO_SETTINGS_MODULE",
    ],
)
def test_the_environment_of_another_project_has_no_effect(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "amqp://elsewhere")
    with celery_app(Settings.load({"REDIS_URL": OURS})) as app:
        for connection in (app.connection(), app.connection_for_read(), app.connection_for_write()):
            assert issubclass(connection.get_transport_cls(), OneClientTransport)
            assert connection.hostname == "127.0.0.1"
            assert (connection.port, connection.virtual_host) == (7, "3")
        assert app.conf.broker_url == OURS
        assert not app.conf.result_backend
        assert type(app.loader).__name__ == "AppLoader"
    assert not [left for left in os.environ if left.startswith("CELERY_")]
