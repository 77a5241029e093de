"""What every HTTP request passes first."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from web.front import Front
from web.server.client_faults import ClientFaults
from web.server.connection_table import ConnectionLimits, ConnectionTable
from web.server.forwarded import Forwarded
from web.server.http_server import ADDRESS, CONNECTION
from web.server.origins import Origins

NEW, KNOWN, HEALTH = "EIO=4&transport=websocket", "EIO=4&transport=polling&sid=a", ""


class Asked:
    """One request through a front, and what came of it."""

    def __init__(
        self,
        query: str = "",
        *,
        sockets: int = 0,
        stopping: bool = False,
        allowed: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
        socket: object = None,
        connection: object = None,
        **environ: object,
    ) -> None:
        self.seen: dict[str, Any] = {}
        self.faults = ClientFaults()
        forwarded = Forwarded([])
        server = SimpleNamespace(
            connection_ids=lambda: range(sockets), connection=lambda name: socket
        )
        front = Front(
            self._app,
            server=server,  # type: ignore[arg-type]
            drain=SimpleNamespace(stopping=stopping),  # type: ignore[arg-type]
            origins=Origins(allowed, hosts, forwarded),
            forwarded=forwarded,
            faults=self.faults,
            sockets_max=2,
        )
        request = {"QUERY_STRING": query, "REMOTE_ADDR": "192.0.2.1", "HTTP_HOST": "h", **environ}
        request[CONNECTION] = connection
        self.body = b"".join(front(request, self._start))

    def _app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.seen = environ
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"body"]

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status[:3], dict(headers)


def test_a_process_with_all_its_sockets_refuses_more_and_serves_the_others() -> None:
    queries = (NEW, KNOWN, HEALTH)
    assert [Asked(query, sockets=1).status for query in queries] == ["200", "200", "200"]
    assert [Asked(query, sockets=2).status for query in queries] == ["503", "200", "200"]
    assert Asked(NEW, sockets=2).headers["Retry-After"] == "5"


def test_a_process_that_stops_takes_no_new_clients() -> None:
    answers = [Asked(query, stopping=True).status for query in (NEW, KNOWN, HEALTH)]
    assert answers == ["503", "200", "200"]


def test_another_origin_is_refused_and_the_log_says_which(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    refused = Asked(HTTP_ORIGIN="https://evil.example\nrun.ended")
    assert (refused.status, refused.seen) == ("403", {})
    assert "kind=refused_origin count=1 total=1 last=https://evil.example?run.ended" in caplog.text
    assert Asked(HTTP_ORIGIN="http://h").status == "200"


def test_the_page_of_an_allowed_origin_may_read_the_answer() -> None:
    allowed = Asked(HTTP_ORIGIN="https://app.example", allowed=("https://app.example",))
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert allowed.headers["Vary"] == "Origin"
    assert "Vary" not in Asked().headers


def test_the_scripts_of_the_page_may_be_read_by_a_document_without_an_origin() -> None:
    asked: dict[str, Any] = {"HTTP_ORIGIN": "null", "REQUEST_METHOD": "GET"}
    script = Asked(PATH_INFO="/assets/diagram.js", **asked)
    assert script.status == "200"
    assert "Access-Control-Allow-Credentials" not in script.headers
    assert "Access-Control-Allow-Origin" not in script.headers, "that of the file says it"
    for path in ("/api/me", "/page/info", "/", "/assets"):
        assert Asked(PATH_INFO=path, **asked).status == "403"
    assert Asked(PATH_INFO="/assets/x", **asked | {"REQUEST_METHOD": "POST"}).status == "403"


def test_an_unknown_host_name_is_refused_and_counted() -> None:
    refused = Asked(HTTP_HOST="evil.example", hosts=("localhost",))
    assert (refused.status, refused.faults.counts["unknown_host"]) == ("400", 1)


def test_the_answer_to_head_has_no_body() -> None:
    assert Asked(REQUEST_METHOD="HEAD").body == b""
    assert Asked(REQUEST_METHOD="GET").body == b"body"


def test_the_path_of_socket_io_is_served_without_its_slash() -> None:
    assert Asked(PATH_INFO="/socket.io").seen["PATH_INFO"] == "/socket.io/"


def test_the_client_s_address_is_there_for_all() -> None:
    assert Asked().seen[ADDRESS] == "192.0.2.1"


@pytest.mark.parametrize("is_authenticated", [True, False])
def test_a_connection_that_polls_counts_as_authenticated_with_its_socket(
    is_authenticated: bool,
) -> None:
    table = ConnectionTable(ConnectionLimits(5, 5, 5))
    connection = table.admit("192.0.2.1", lambda: None)
    assert connection is not None
    socket = SimpleNamespace(is_authenticated=is_authenticated)
    Asked(KNOWN, socket=socket, connection=connection)
    assert connection.is_authenticated is is_authenticated


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("HTTP_ORIGIN", "https://evil.example", "403", "refused_origin"),
        ("HTTP_HOST", "evil.example", "400", "unknown_host"),
    ],
)
def test_refusals_below_the_api_have_its_envelope(
    header: str, value: str, status: str, code: str
) -> None:
    environ: dict[str, Any] = {"PATH_INFO": "/v1/runs", header: value}
    asked = Asked(hosts=("h",), **environ)
    assert asked.status.startswith(status)
    error = json.loads(asked.body)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["code"] == code


def test_pages_of_allowed_origins_may_use_the_headers_of_the_api() -> None:
    page = "https://app.example"
    asks: Any = {"REQUEST_METHOD": "OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "DELETE"}
    asked = Asked(allowed=(page,), HTTP_ORIGIN=page, PATH_INFO="/v1/runs", **asks)
    assert (asked.status, asked.seen) == ("204", {})
    assert "Last-Event-ID" in asked.headers["Access-Control-Allow-Headers"]
    assert "DELETE" in asked.headers["Access-Control-Allow-Methods"]
    answer = Asked(allowed=(page,), HTTP_ORIGIN=page, PATH_INFO="/v1/runs")
    assert "X-Hermes-Session-Id" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Headers" not in answer.headers
    other = Asked(allowed=(page,), HTTP_ORIGIN=page, PATH_INFO="/")
    assert other.headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_the_page_of_an_allowed_origin_may_ask_what_it_may_send() -> None:
    asks: Any = {"REQUEST_METHOD": "OPTIONS", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    page = "https://app.example"
    answer = Asked(HTTP_ORIGIN=page, allowed=(page,), **asks)
    assert (answer.status, answer.seen, answer.body) == ("204", {}, b"")
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    refused = Asked(HTTP_ORIGIN="https://evil.example", allowed=(page,), **asks)
    assert refused.status == "403"
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_a_page_may_read_that_the_process_is_full() -> None:
    page = "https://app.example"
    full = Asked(NEW, sockets=2, HTTP_ORIGIN=page, allowed=(page,))
    assert (full.status, full.headers["Access-Control-Allow-Origin"]) == ("503", page)


def test_a_refused_head_has_no_body_either() -> None:
    assert Asked(REQUEST_METHOD="HEAD", HTTP_HOST="x", hosts=("h",)).body == b""


@pytest.mark.parametrize("query", ["E%49O=4&transport=polling", "x=1&EIO=4", "EIO=4&si%64x=1"])
def test_a_new_client_is_one_however_its_query_is_written(query: str) -> None:
    assert Asked(query, sockets=2).status == "503"


@pytest.mark.parametrize("query", ["EIO=4&s%69d=a", "sid=a&EIO=4", "EIO=4&transport=polling&sid=a"])
def test_a_known_client_is_one_however_its_query_is_written(query: str) -> None:
    assert Asked(query, sockets=2).status == "200"


def test_refused_origins_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    faults = ClientFaults()
    for number in range(100):
        faults.note("refused_origin", f"https://{number}.example")
    assert len(caplog.records) == 1
    assert faults.counts["refused_origin"] == 100
