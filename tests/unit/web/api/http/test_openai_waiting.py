"""An accepted run whose answer a process cannot give: the client must not send it again."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import Headers

from shared.db.responses.records import StoredResponse
from shared.db.runs.accept import Accepted
from shared.db.runs.run_status import RunStatus
from shared.errors import DatabaseUnavailable, RedisUnavailable
from shared.protocol.run_states import RunState
from web.access.principal import ANYBODY
from web.api.http.errors import ApiError
from web.api.http.openai.completions import Completions
from web.api.http.openai.responses import Responses
from web.api.http.routes import Call
from web.api.http.run_events import Draining

RUN = "run_0123456789abcdef0123456789abcdef"


class _Requests:
    def accept(self, *_: object, **__: object) -> Accepted:
        return Accepted(RUN, None, "queued", starts_now=True)


class _Following:
    """There is room when the run is accepted, and none of it right after."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def check_room(self, call: Call) -> None:
        pass

    def follow(self, *_: object) -> None:
        raise self._error


class _Db:
    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def read(self, _work: object) -> StoredResponse:
        if self._error is not None:
            raise self._error
        run = RunStatus(
            id=RUN,
            session_id=None,
            profile="default",
            state=RunState.QUEUED,
            model=None,
            created_at=0.0,
            updated_at=0.0,
            reason=None,
            output=None,
            usage=None,
            end=None,
            announced=False,
            queue_position=1,
            attempts=0,
        )
        return StoredResponse(run, None, is_stored=True)


@pytest.mark.parametrize("error", [Draining(), RedisUnavailable(), ApiError(429, "full", "Full.")])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", ["completions", "responses"])
def test_clients_are_told_of_the_run_and_not_to_ask_again(
    api: str, stream: bool, error: Exception
) -> None:
    caught = _refusal(api, stream, _Db(), _Following(error))
    assert caught.headers["x-should-retry"] == "false"
    assert RUN in str(caught)


def test_also_where_what_was_accepted_cannot_be_read() -> None:
    caught = _refusal("responses", True, _Db(DatabaseUnavailable()), _Following(Draining()))
    assert (caught.error_code, caught.headers["x-should-retry"]) == (
        "database_unavailable",
        "false",
    )
    assert RUN in str(caught)


def _refusal(api: str, stream: bool, db: _Db, following: _Following) -> ApiError:
    made: Any = Completions if api == "completions" else Responses
    route = made(db, _Requests(), following)
    asked = {"completions": {"messages": [{"role": "user", "content": "x"}]}}.get(
        api, {"input": "x"}
    )
    call = Call(ANYBODY, "default", {}, Headers(), {})
    context = Flask("test").test_request_context(
        "/", method="POST", json=asked | {"stream": stream}
    )
    with context, pytest.raises(ApiError) as caught:
        route.create(call)
    return caught.value
