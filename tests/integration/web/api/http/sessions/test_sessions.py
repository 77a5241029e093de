"""`/api/sessions` on a real web process: list, search, create, change, copy, delete."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.integration.web.api.http.conftest import Api
from tests.integration.web.api.http.sessions.conftest import Talk
from tests.support.clients.socket_client import ClientLoop, SocketClient
from tests.support.http_api import ApiClient
from tests.support.servers.processes import wait_until


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def listed(client: ApiClient, query: str = "") -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/api/sessions?limit=2{query}{cursor}").json()
        found += [session["id"] for session in page["data"]]
        if not page["has_more"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def made(client: ApiClient, session_id: str, **fields: object) -> dict[str, Any]:
    answer = client.post("/api/sessions", {"id": session_id, **fields})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()["session"]
    return session


def test_sessions_are_listed_page_by_page(api: Api, session_id: str, talk: Talk) -> None:
    names = [f"{session_id}-{n}" for n in range(5)]
    for name in names:
        talk(name, "hello", "yes")
        api.alice.call("PATCH", f"/api/sessions/{name}", {"workspace": session_id})
    where = f"&workspace={session_id}"
    assert listed(api.alice, where) == names[::-1]
    api.alice.call("PATCH", f"/api/sessions/{names[1]}", {"pinned": True})
    api.alice.call("PATCH", f"/api/sessions/{names[4]}", {"archived": True})
    assert listed(api.alice, where) == [names[1], names[3], names[2], names[0]]
    assert listed(api.alice, f"{where}&archived=true") == [names[4]]
    assert listed(api.alice, f"{where}&archived=any&pinned=false") == [
        names[4],
        names[3],
        names[2],
        names[0],
    ]
    page = api.alice.get(f"/api/sessions?limit=1&offset=1{where}").json()
    assert (page["data"][0]["id"], page["limit"], page["offset"]) == (names[3], 1, 1)
    assert (page["object"], page["total"], page["has_more"]) == ("list", 4, True)
    assert listed(api.alice, f"{where}&profile=other") == []


def test_a_search_shows_where_it_found_something(api: Api, session_id: str, talk: Talk) -> None:
    word = f"needle{session_id[-8:]}"
    talk(session_id, "東京の天気は?", f"Look: a {word} in the hay")
    (found,) = api.alice.get(f"/api/sessions?q={word}").json()["data"]
    assert found["id"] == session_id
    match = found["match"]
    ((start, end),) = match["snippet"]["ranges"]
    assert match["snippet"]["text"][start:end] == word
    assert (match["messages"], match["role"]) == (1, "assistant")
    assert session_id in listed(api.alice, "&q=天気")
    assert listed(api.bob, f"&q={word}") == []
    assert listed(api.alice, "&q=%00%22") == listed(api.alice, "&q=") == []


def test_a_session_is_made_shown_and_changed(api: Api, session_id: str) -> None:
    session = made(api.alice, session_id, title=" My  title ", workspace="/w", pinned=True)
    assert (session["title"], session["workspace"], session["pinned"]) == ("My title", "/w", True)
    assert (session["source"], session["model"]) == ("api_server", "hermes-agent")
    path = f"/api/sessions/{session_id}"
    assert api.alice.get(path).json() == {"object": "hermes.session", "session": session}
    changes = {"title": None, "pinned": False, "archived": True, "model": "m", "workspace": None}
    now = api.alice.call("PATCH", path, changes).json()["session"]
    assert {name: now[name] for name in changes} == changes
    assert api.alice.call("PATCH", path, {}).json()["session"] == now
    ended = api.alice.call("PATCH", path, {"end_reason": "done"}).json()["session"]
    assert (ended["end_reason"], ended["ended_at"] is not None) == ("done", True)


def test_a_session_without_an_id_gets_one(api: Api) -> None:
    first, second = (api.alice.post("/api/sessions", {}).json()["session"] for _ in range(2))
    assert first["id"] != second["id"]
    assert api.alice.get(f"/api/sessions/{first['id']}").status_code == 200


def test_what_cannot_be_is_refused(api: Api, session_id: str) -> None:
    made(api.alice, session_id, title=f"of {session_id}")
    path = f"/api/sessions/{session_id}"

    def create(body: object) -> tuple[int, str]:
        return code(api.alice.post("/api/sessions", body))

    assert create({"id": session_id}) == (409, "session_exists")
    assert create({"title": f"of {session_id}"}) == (400, "invalid_title")
    for name in ("a/b", "..", ".", "a\nb", "a" * 201, 5, {"a": 1}):
        assert create({"id": name}) == (400, "invalid_session_id"), name
    assert create({"system_prompt": "be kind"}) == (400, "unsupported_parameter")
    assert create({"profile": "nowhere"}) == (400, "unknown_profile")
    assert create({"workspace": "a\0b"}) == create({"pinned": 1}) == (400, "invalid_payload")
    assert create([]) == (400, "invalid_json")
    change = api.alice.call
    assert code(change("PATCH", path, {"id": "x"})) == (400, "unsupported_session_field")
    assert code(change("PATCH", path, {"title": "x" * 101})) == (400, "invalid_title")
    assert code(change("PATCH", path, {"pinned": "yes"})) == (400, "invalid_payload")
    assert code(change("PATCH", path, {"pinned": None})) == (400, "invalid_payload")
    assert code(change("PATCH", path, {"workspace": "a\0b"})) == (400, "invalid_payload")
    assert code(change("PATCH", path, {"profile": "nowhere"})) == (400, "unknown_profile")
    for query in ("limit=x", "limit=0", "offset=-1", "archived=maybe", "workspace=a%00b"):
        assert code(api.alice.get(f"/api/sessions?{query}")) == (400, "invalid_payload"), query
    for cursor in ("x", "%C3%A9", "bnVsbA", "W3RydWUsMSwiYSJd", "W3RydWUsMWU5OTksImEiXQ"):
        assert code(api.alice.get(f"/api/sessions?cursor={cursor}")) == (400, "invalid_cursor")
    assert api.alice.get(f"/api/sessions?limit={'9' * 400}").json()["limit"] == 200


@pytest.fixture
def loop() -> Iterator[ClientLoop]:
    made = ClientLoop()
    yield made
    made.stop()


def test_a_change_is_told_to_those_who_watch(api: Api, session_id: str, loop: ClientLoop) -> None:
    made(api.alice, session_id)
    client = SocketClient(loop, api.url, "token-of-alice").connect()
    client.resume(session_id)
    api.alice.call("PATCH", f"/api/sessions/{session_id}", {"title": "New", "pinned": True})
    updated = client.wait_for("session.updated")
    assert (updated["title"], updated["pinned"]) == ("New", True)
    api.alice.call("DELETE", f"/api/sessions/{session_id}")
    assert client.wait_for("session.deleted")["session_id"] == session_id
    client.disconnect()


def test_a_session_is_copied_up_to_a_message(api: Api, session_id: str, talk: Talk) -> None:
    talk(session_id, "one", "uno")
    talk(session_id, "two", "dos")
    path = f"/api/sessions/{session_id}"
    messages = api.alice.get(f"{path}/messages").json()["data"]
    copy = api.alice.post(f"{path}/fork", {"up_to": messages[1]["id"]})
    assert copy.status_code == 201
    session = copy.json()["session"]
    assert (session["parent_session_id"], session["message_count"]) == (session_id, 2)
    whole = api.alice.post(f"{path}/fork", {"id": f"{session_id}-copy", "title": "Copy of it"})
    assert (whole.json()["session"]["title"], whole.json()["session"]["message_count"]) == (
        "Copy of it",
        4,
    )
    assert code(api.alice.post(f"{path}/fork", {"id": session_id})) == (409, "session_exists")
    assert code(api.alice.post(f"{path}/fork", {"up_to": 2**53})) == (404, "message_not_found")
    assert code(api.alice.post(f"{path}/fork", {"up_to": True})) == (400, "invalid_payload")
    talk(f"{session_id}-bob", "secret", "segreto", owner="bob")
    other = api.bob.get(f"/api/sessions/{session_id}-bob/messages").json()["data"][0]["id"]
    assert code(api.alice.post(f"{path}/fork", {"up_to": other})) == (404, "message_not_found")


def test_deletion_stops_a_live_run(api: Api, session_id: str) -> None:
    run_id = api.alice.start("x", session_id)
    run = api.begin(run_id, session_id)
    run.say("a")
    answers: list[requests.Response] = []
    path = f"/api/sessions/{session_id}"
    thread = threading.Thread(target=lambda: answers.append(api.alice.call("DELETE", path)))
    thread.start()
    wait_until(
        lambda: api.alice.get(f"/v1/runs/{run_id}").json()["status"] == "stopping", what="the stop"
    )
    api.stand.finish(run, session_id, "a")
    thread.join(30)
    assert answers[0].json() == {
        "object": "hermes.session.deleted",
        "id": session_id,
        "deleted": True,
    }
    assert code(api.alice.get(path)) == (404, "session_not_found")
    assert api.alice.get(f"/v1/runs/{run_id}").status_code == 404
    assert code(api.alice.call("DELETE", path)) == (404, "session_not_found")


def test_several_sessions_are_deleted_at_once(api: Api, session_id: str, talk: Talk) -> None:
    names = [f"{session_id}-{n}" for n in range(2)]
    for name in names:
        talk(name, "x", "y")
    talk(f"{session_id}-bob", "x", "y", owner="bob")
    wanted = [*names, f"{session_id}-bob", "nope", names[0], "\n"]
    data = api.alice.post("/api/sessions/delete", {"ids": wanted}).json()["data"]
    assert [one["deleted"] for one in data] == [True, True, False, False, False]
    assert {one["error"] for one in data[2:]} == {"session_not_found"}
    assert api.bob.get(f"/api/sessions/{session_id}-bob").status_code == 200
    for ids in ([], ["x"] * 101, "x", [1]):
        answer = api.alice.post("/api/sessions/delete", {"ids": ids})
        assert code(answer) == (400, "invalid_payload"), ids


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"title": "x"}),
        ("DELETE", "", None),
        ("GET", "/messages", None),
        ("GET", "/export?format=json", None),
        ("GET", "/export?format=md", None),
        ("GET", "/events", None),
        ("GET", "/events?since=now", None),
        ("POST", "/fork", {}),
        ("POST", "/chat", {"message": "x"}),
        ("POST", "/chat/stream", {"message": "x"}),
    ],
)
def test_a_session_of_another_looks_like_none(
    api: Api, session_id: str, talk: Talk, method: str, path: str, body: object
) -> None:
    talk(session_id, "secret", "segreto")
    foreign = api.bob.call(method, f"/api/sessions/{session_id}{path}", body)
    none = api.bob.call(method, f"/api/sessions/{session_id}-none{path}", body)
    assert code(foreign) == code(none) == (404, "session_not_found")
    assert foreign.text.replace(session_id, "X") == none.text.replace(f"{session_id}-none", "X")
    strange = api.bob.call(method, f"/api/sessions/%00{path}", body)
    assert code(strange) == (404, "session_not_found")
    assert session_id not in listed(api.bob)
