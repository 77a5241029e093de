"""The answer of the demo gateway to an input without a script."""

from __future__ import annotations

import re

from deploy.demo_gateway.runs.script import Script, Tool

ECHOED_WORDS = 12
WORDS_PER_SECOND = 40.0
# Between the first sentence and the second.
TOOL_AFTER = 15

_ANSWER = (
    "This is the demo gateway that comes with Holdfast: no language model is behind it. "
    "You wrote: “{echo}”. Every word of this answer takes the way that a real one would take, "
    "so reload the page, close the tab or restart the server while it streams, and see that "
    "nothing is lost. For real answers set HERMES_URL to a Hermes Agent gateway."
)


def default_answer(text: str) -> Script:
    """A short answer to `text`, word by word, with one reasoning and maybe one tool call."""
    words = text.split()
    echo = " ".join(words[:ECHOED_WORDS])[:200] + (" …" if len(words) > ECHOED_WORDS else "")
    wants_tool = re.search(r"\btool", text, re.IGNORECASE) is not None
    return Script(
        say=_ANSWER.format(echo=echo),
        rate=WORDS_PER_SECOND,
        reasoning_available="No model here: the bundled answer will do, with an echo of the input.",
        tools=[_demo_tool(len(words))] if wants_tool else [],
    )


def _demo_tool(words: int) -> Tool:
    return Tool(
        after=TOOL_AFTER,
        name="word_count",
        arguments={"text": "the input"},
        preview="counting the words of the input",
        output=f"{words} words",
        seconds=0.3,
    )
