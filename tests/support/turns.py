"""Whole turns in a database, as web process and worker write them."""

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

from shared.db.database import Database
from shared.db.runs.accept import NewRun, accept
from shared.db.runs.claim import Claim, claim
from shared.db.runs.complete import Closing, close
from shared.db.runs.terminal import mark_announced
from shared.db.search.index import index_some
from shared.protocol.run_states import RunState
from tests.support.rows import OWNER


def new_run(session_id: str | None, text: str, *, owner: str = OWNER, **fields: Any) -> NewRun:
    """A run with this prompt; other fields are those of most."""
    values: dict[str, Any] = {
        "token_count": 1,
        "model": None,
        "instructions": None,
        "client_request_id": None,
        "payload_hash": "",
    }
    return NewRun(
        run_id=f"run_{uuid.uuid4().hex}",
        owner=owner,
        session_id=session_id,
        profile="default",
        input=text,
        text=text,
        **values | fields,
    )


def ask(db: Database, session_id: str | None, text: str, *, owner: str = OWNER) -> str:
    """Accept a run with this prompt; its id."""
    new = new_run(session_id, text, owner=owner)
    db.write(partial(accept, new=new, queue_cap=20, check_profile=str))
    return new.run_id


def begin(db: Database, run_id: str) -> Claim:
    """Claim the run."""
    answer = db.write(partial(claim, run_id=run_id, worker="w", lease=60.0))
    assert isinstance(answer, Claim)
    return answer


def end(db: Database, run_id: str, *rows: Mapping[str, Any]) -> None:
    """Claim the run and end it with these messages."""
    claimed = begin(db, run_id)
    closing = Closing(RunState.COMPLETED, "run.completed", {}, last_seq=1, rows=rows)
    db.write(partial(close, claim=claimed, closing=closing))
    db.write(partial(mark_announced, run_id=run_id))


def say(db: Database, session_id: str, text: str, *answers: str, owner: str = OWNER) -> str:
    """A turn with a prompt and answers, which can be found; the id of its run."""
    run_id = ask(db, session_id, text, owner=owner)
    end(db, run_id, *({"role": "assistant", "content": answer} for answer in answers))
    db.write(index_some)
    return run_id
