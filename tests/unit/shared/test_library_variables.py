"""Variables of libraries in the environment (C20)."""

import os
import subprocess
import sys

import pytest

from shared.library_variables import drop_library_variables

FOREIGN = {
    "CELERY_BROKER_URL": "amqp://elsewhere",
    "CELERY_CONFIG_MODULE": "theirs",
    "C_STRICT_APP": "1",
    "EVENTLET_HUB": "nonsense",
    "EVENTLET_THREADPOOL_SIZE": "many",
    "EVENTLET_NO_GREENDNS": "no",
    "PSYCOPG_IMPL": "nonsense",
    "FLASK_DEBUG": "1",
    "WERKZEUG_RUN_MAIN": "true",
    "DJANGO_SETTINGS_MODULE": "theirs",
    "AUTOSCALE_KEEPALIVE": "x",
    "REMAP_SIGTERM": "SIGQUIT",
    "MP_LOG": "1",
    "PGCLIENTENCODING": "LATIN1",
}
KEPT = {"PATH": "/bin", "PGPASSWORD": "x", "PGSSLMODE": "require", "FLOWER_PORT": "1", "TZ": "UTC"}


def test_they_are_dropped_and_others_stay() -> None:
    environ = {**FOREIGN, **KEPT}
    drop_library_variables(environ)
    assert environ == KEPT


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("postgresql://h/d", False),
        (" postgres://u:p@h:1/d", False),
        ("postgresql:///d?host=h", False),
        ("postgresql:///d", True),
        ("postgresql://", True),
        ("", True),
    ],
)
def test_no_variable_leads_to_another_host_than_the_one_in_the_address(
    url: str, stays: bool
) -> None:
    environ = {"DATABASE_URL": url, "PGHOSTADDR": "192.0.2.1", "PGSERVICE": "theirs"}
    drop_library_variables(environ)
    assert ("PGHOSTADDR" in environ) == ("PGSERVICE" in environ) == stays


IMPORTS = {
    "web": "import web.__main__",
    "worker": "from shared.runtime import patch; patch(); import worker.processes",
    "maintenance": "import worker.__main__ as m, sys; sys.argv[1:] = ['nothing']\n"
    "try: m.main()\nexcept SystemExit: import worker.processes",
}
FINISH = """
import os
from shared.settings import Settings
from shared.task_queue import celery_app
import eventlet.hubs, eventlet.tpool, psycopg
app = celery_app(Settings.load({"REDIS_URL": "redis://h/1"}))
app.set_default(); app.Beat; app.tasks
assert app.conf.broker_url == "redis://h:6379/1", app.conf.broker_url
print(eventlet.tpool._nthreads, type(eventlet.hubs.get_hub()).__module__)
"""


@pytest.mark.parametrize("role", sorted(IMPORTS))
def test_each_role_starts_whatever_the_variables_say(role: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS[role] + FINISH],
        env={**os.environ, **FOREIGN},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["20", "eventlet.hubs.epolls"]
