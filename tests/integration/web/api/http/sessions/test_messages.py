"""The messages of a session and its export, on a real web process."""

from __future__ import annotations

import pytest

from tests.integration.web.api.http.conftest import Api
from tests.integration.web.api.http.sessions.conftest import Talk


def pages(api: Api, session_id: str, query: str) -> list[list[str]]:
    """The texts of each page."""
    found: list[list[str]] = []
    cursor = ""
    while True:
        path = f"/api/sessions/{session_id}/messages?limit=4{query}{cursor}"
        page = api.alice.get(path).json()
        assert (page["object"], page["session_id"]) == ("list", session_id)
        found.append([message["content"] for message in page["data"]])
        if not page["has_more"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def test_messages_are_paged_from_either_end(api: Api, session_id: str, talk: Talk) -> None:
    for number in range(5):
        talk(session_id, f"q{number}", f"a{number}")
    texts = [f"{kind}{number}" for number in range(5) for kind in "qa"]
    assert pages(api, session_id, "&from=start") == [texts[:4], texts[4:8], texts[8:]]
    assert pages(api, session_id, "") == [texts[6:], texts[2:6], texts[:2]]
    everything = api.alice.get(f"/api/sessions/{session_id}/messages").json()
    assert [message["content"] for message in everything["data"]] == texts
    assert (everything["has_more"], everything["next_cursor"]) == (False, None)


def test_a_page_ends_before_the_message_that_one_has(api: Api, session_id: str, talk: Talk) -> None:
    for number in range(3):
        talk(session_id, f"q{number}", f"a{number}")
    path = f"/api/sessions/{session_id}/messages"
    everything = api.alice.get(path).json()["data"]
    page = api.alice.get(f"{path}?limit=2&before={everything[4]['id']}").json()
    assert [message["content"] for message in page["data"]] == ["q1", "a1"]
    rest = api.alice.get(f"{path}?limit=2&cursor={page['next_cursor']}").json()
    assert [message["content"] for message in rest["data"]] == ["q0", "a0"]
    assert api.alice.get(f"{path}?before={everything[0]['id']}").json()["data"] == []
    talk(f"{session_id}-other", "q", "a")
    other = api.alice.get(f"/api/sessions/{session_id}-other/messages").json()["data"][0]["id"]
    for unknown in (other, 2**53):
        refused = api.alice.get(f"{path}?before={unknown}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "message_not_found")


def test_a_message_has_its_run_and_a_waiting_prompt_is_not_shown(
    api: Api, session_id: str, talk: Talk
) -> None:
    run_id = talk(session_id, "prompt", "answer")
    api.alice.start("not yet", session_id)
    shown = api.alice.get(f"/api/sessions/{session_id}/messages").json()["data"]
    assert [(one["role"], one["run_id"]) for one in shown] == [
        ("user", run_id),
        ("assistant", run_id),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=WzEsMl0",
        "cursor=WzEsMiw5OTk5OTk5OTk5OTk5OTk5OTk5OTld",
        "cursor=W3RydWUsMSwxXQ",
        "cursor=WzEsMiwtMV0",
    ],
)
def test_a_cursor_that_is_none_is_refused(
    api: Api, session_id: str, talk: Talk, query: str
) -> None:
    talk(session_id, "x")
    answer = api.alice.get(f"/api/sessions/{session_id}/messages?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_cursor")


def test_a_session_is_exported(api: Api, session_id: str, talk: Talk) -> None:
    talk(session_id, "prompt", "answer")
    answer = api.alice.get(f"/api/sessions/{session_id}/export")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="session.json"'
    file = answer.json()
    assert (file["format"], file["session"]["id"]) == ("holdfast.session", session_id)
    assert [message["content"] for message in file["messages"]] == ["prompt", "answer"]
    text = api.alice.get(f"/api/sessions/{session_id}/export?format=md")
    assert text.headers["Content-Type"].startswith("text/markdown")
    assert "answer" in text.text
    refused = api.alice.get(f"/api/sessions/{session_id}/export?format=pdf")
    assert refused.status_code == 400
