"""Where a script stands in an input, and what is wrong with a wrong one."""

from __future__ import annotations

import pytest

from deploy.demo_gateway.runs.default_answer import default_answer
from deploy.demo_gateway.runs.script import Script, ScriptError, Stall, Tool, find_script


@pytest.mark.parametrize(
    "text",
    [
        '[[demo {"tokens": 3}]]',
        '  [[demo{"tokens":3} ]] and more words',
        'words first [[demo {"tokens": 3}]]\n',
        '[[demo {"tokens": 3}]] not this one: [[demo {"tokens": 4}]]',
    ],
)
def test_a_script_is_the_first_or_the_last_thing_of_the_input(text: str) -> None:
    assert find_script(text) == Script(tokens=3)


@pytest.mark.parametrize("text", ["", "hello", "he said [[demo {}]] to me", "[[other {}]]", "]]"])
def test_other_inputs_have_none(text: str) -> None:
    assert find_script(text) is None


def test_what_may_be_a_list_may_stand_alone() -> None:
    found = find_script('[[demo {"stall": {"after": 1, "seconds": 2}, "tools": {"name": "x"}}]]')
    assert found == Script(stall=[Stall(after=1, seconds=2)], tools=[Tool(name="x")])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('{"tokens": 1', "not JSON"),
        ('{"tokens": 1}', "no closing"),
        ("{}]", "no closing"),
        ("[]]]", "script: "),
        ('{"token": 1}]]', "token: "),
        ('{"tokens": -1, "rate": "fast", "end": "maybe"}]]', "rate: "),
        ('{"tools": [{"after": -1}]}]]', "tools.0.after: "),
    ],
)
def test_a_wrong_script_is_refused_with_its_faults(script: str, words: str) -> None:
    with pytest.raises(ScriptError, match=words.replace(".", r"\.")):
        find_script(f"[[demo {script}")


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ScriptError, match=r"tokens: .*rate: .*end: "):
        find_script('[[demo {"tokens": -1, "rate": "fast", "end": "maybe"}]]')


def test_the_friendly_answer_uses_a_tool_only_if_asked() -> None:
    assert default_answer("a story").tools == []
    assert len(default_answer("use a Tool").tools) == 1
    assert "word0 word1" in (default_answer(" ".join(f"word{n}" for n in range(50))).say or "")
