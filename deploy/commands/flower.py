"""`holdfast flower`: Flower, the web page of the task queues; its password is the token."""

import os

from deploy.errors import DeployError
from shared.settings import Settings
from shared.task_queue import celery_app

USER = "holdfast"
MAX_TASKS = 10_000  # in memory; Flower's own default is ten times that


def run(settings: Settings, token: str) -> None:
    """Serve Flower on 127.0.0.1, port 5555 or FLOWER_PORT, until the process is stopped.

    Raises DeployError for a token that Flower cannot use.
    """
    if "," in token:
        raise DeployError("Flower cannot use an AUTH_TOKEN with a comma in it; choose another")
    # In the environment: every user of the machine can read command lines.
    os.environ["FLOWER_BASIC_AUTH"] = f"{USER}:{token}"
    app = celery_app(settings)
    options = ["--address=127.0.0.1", f"--max_tasks={MAX_TASKS}", "--logging=warning"]
    app.start(argv=["flower", *options])
