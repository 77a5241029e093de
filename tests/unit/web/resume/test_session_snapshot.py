"""What a page is shown of a session whose run is live."""

from shared.db.sessions.read import Conversation, RunInfo
from shared.event_log.types import LogView
from shared.protocol.events import encode
from shared.protocol.run_states import RunState
from web.relay.feed_address import FeedAddress
from web.resume.session_snapshot import build


def view(*events: tuple[str, dict[str, object]]) -> LogView:
    """The log of `r`, which has these events."""
    entries = [
        encode(name, {"event": name, "run_id": "r", "epoch": 1, "seq": seq, **fields})
        for seq, (name, fields) in enumerate(events, 1)
    ]
    return LogView("r", 1, 1, len(entries), 0, False, 1, entries, None)


def test_all_questions_that_are_open_are_in_it() -> None:
    running = RunInfo("r", RunState.RUNNING, 1, announced=False)
    ends = [{"run_id": "before", "status": "failed", "error": "no answer"}]
    conversation = Conversation(runs={"r": running}, ends=ends)
    log = view(
        ("approval.request", {"command": "first"}),
        ("approval.request", {"command": "second"}),
        ("approval.request", {"command": "third"}),
        ("approval.responded", {"choice": "once", "approval_id": 2}),
    )
    payload = build(FeedAddress("me", "s", None), conversation, [log])
    assert [(one["seq"], one["command"]) for one in payload["approvals"]] == [
        (1, "first"),
        (3, "third"),
    ]
    assert payload["ends"] == ends
    quiet = build(FeedAddress("me", "s", None), Conversation(), [])
    assert not {"approvals", "ends"} & quiet.keys()
