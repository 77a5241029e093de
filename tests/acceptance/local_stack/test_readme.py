"""The clients that the README shows do what it says, copied as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clients.js_client import SCRIPTS
from tests.support.paths import ROOT
from tests.support.servers.stack import TOKEN, Stack

ANSWER = "This is the demo gateway that comes with Holdfast"
TIMEOUT = 60  # seconds


def block(language: str) -> str:
    """The one fenced block of that language in the README."""
    page = (ROOT / "README.md").read_text("utf-8")
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return str(found)


def output(stack: Stack, *command: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """What a client that was started with address and token says and how it ends."""
    environment = {**os.environ, "HOLDFAST_URL": stack.url, "HOLDFAST_TOKEN": token}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


def test_the_python_client_of_the_readme_prints_the_answer_and_ends(
    stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "client.py"
    file.write_text(block("python"), encoding="utf-8")
    done = output(stack, sys.executable, str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(ANSWER)


@pytest.mark.usefixtures("javascript")
def test_the_javascript_client_of_the_readme_prints_the_answer_and_ends(
    stack: Stack, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(SCRIPTS / "node_modules")
    file = tmp_path / "client.mjs"
    file.write_text(block("javascript"), encoding="utf-8")
    done = output(stack, "node", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(ANSWER)
