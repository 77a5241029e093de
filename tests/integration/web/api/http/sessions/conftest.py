"""Sessions of Alice on a real web process, with turns as a worker writes them."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from shared.db.search.index import index_some
from tests.integration.web.api.http.conftest import Api
from tests.support.turns import say

Talk = Callable[..., str]


@pytest.fixture
def session_id() -> str:
    return f"session-{uuid.uuid4().hex}"


@pytest.fixture
def talk(api: Api) -> Talk:
    """`talk(session_id, prompt, *answers)`: a turn that has ended; the id of its run."""

    def one(session_id: str, prompt: str, *answers: str, owner: str = "alice") -> str:
        run_id = say(api.stand.db, session_id, prompt, *answers, owner=owner)
        api.stand.db.write(index_some)
        return run_id

    return one
