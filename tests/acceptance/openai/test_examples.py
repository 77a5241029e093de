"""The examples of OpenAI's API in docs/api.md work as they are written."""

from __future__ import annotations

import json
import re

from tests.acceptance.chat.test_http_api import EXAMPLE, client_of, curl
from tests.support.paths import ROOT
from tests.support.servers.processes import wait_until
from tests.support.servers.stack import Stack


def test_the_examples_of_openais_api_work_as_they_are_written(stack: Stack) -> None:
    api = client_of(stack)
    body = {"input": "What is new?", "background": True}
    made = api.post("/v1/responses", body).json()["id"]
    wait_until(
        lambda: api.get(f"/v1/responses/{made}").json()["status"] == "completed", what="its end"
    )
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    section = page.partition("\n## OpenAI's API\n")[2].partition("\n## ")[0]
    examples = [found.groups() for found in EXAMPLE.finditer(section)]
    assert len(examples) == 7
    for command, shown in examples:
        answer = curl(stack, command.replace("resp_…", made))
        if "stream=true" in command:
            assert answer.startswith(
                ": stream opened\n\nevent: response.output_text.delta\ndata: {"
            )
        else:
            named = set(re.findall(r'"(\w+)":', re.sub(r"\[.*?\]", "[]", shown)))
            assert named <= json.loads(answer).keys(), command
