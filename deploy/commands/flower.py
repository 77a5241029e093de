"""Flower, the operators' view of the queues, behind the installation's token."""

import os

from deploy.errors import DeployError
from shared.settings import Settings
from shared.task_queue import celery_app

USER = "holdfast"
TASKS_KEPT = 10_000  # in memory; Flower's own default is ten times that


def run(settings: Settings, token: str) -> None:
    """Serve Flower on 127.0.0.1, port 5555 or FLOWER_PORT, until the process is told to end."""
    if "," in token:
        raise DeployError("Flower cannot use an AUTH_TOKEN with a comma in it; choose another")
    # In the environment, since a command line can be read by everybody on the machine.
    os.environ["FLOWER_BASIC_AUTH"] = f"{USER}:{token}"
    app = celery_app(settings)
    options = ["--address=127.0.0.1", f"--max_tasks={TASKS_KEPT}", "--logging=warning"]
    app.start(argv=["flower", *options])
