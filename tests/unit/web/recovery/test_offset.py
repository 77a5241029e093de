"""What a socket's offset and record together say: what it had, whatever was on its way."""

from __future__ import annotations

import pytest
from flask import Flask

from shared.protocol.events import encode
from web.api.connect import wants_recovery
from web.recovery.lost_socket import (
    LostJoin,
    LostSocket,
    continued_record,
    fresh_record,
    lost_socket,
)
from web.recovery.offset import RUNS_MAX, Offset, parse_offset
from web.recovery.offset_emitter import OffsetEmitter, with_offset
from web.recovery.offset_tracker import OffsetTracker
from web.relay.feed_address import FeedAddress

OWNER = "default"
S = FeedAddress(OWNER, "s")


def tracker(offset: Offset | None = None) -> OffsetTracker:
    return OffsetTracker("pid", {"first": "0"}, offset or Offset(0), lambda: None)


def back(one: OffsetTracker, offset: str | None) -> tuple[LostSocket, LostJoin]:
    """What it had in its one session, if the client says `offset`."""
    state = lost_socket(one.record, parse_offset(offset) if offset is not None else None, OWNER)
    (joined,) = state.joins
    return state, joined


@pytest.mark.parametrize(
    ("at_join", "positions", "ended", "is_open"),
    [
        ({}, {}, (), False),
        ({"a": (1, 5)}, {}, (), True),  # nothing more of it was received
        ({"a": (1, 5)}, {"a": (1, 9)}, (), True),
        ({"a": (1, 5)}, {"a": None}, (), False),
        ({"a": (1, 5)}, {}, ("a",), False),
        ({"a": (1, 5)}, {"a": None, "b": (1, 2)}, (), True),
    ],
)
def test_a_socket_has_an_open_run_until_it_has_its_end(
    at_join: dict[str, tuple[int, int]],
    positions: dict[str, tuple[int, int] | None],
    ended: tuple[str, ...],
    is_open: bool,
) -> None:
    joined = LostJoin(S, at_join, frozenset(), frozenset(), "")
    lost = LostSocket([joined], positions, complete=True, ended=frozenset(ended))
    assert lost.has_open_run is is_open


@pytest.mark.parametrize(
    "text",
    ["", "x", "1,", "1,a", "1,a:1", "1,a:1:", "1,a:1:2:3", "-1", "1,+,a:1:2", "1,a:1:2,+,+"],
)
def test_what_is_no_offset_of_ours_is_none(text: str) -> None:
    assert parse_offset(text) is None


@pytest.mark.parametrize(
    "text",
    ["1,a:1:2\n", f"1,{'a' * 13}:1:2", "9" * 10, f"1{',a:1:2' * 1000}", None, 7, ["1"]],
)
def test_nor_is_what_is_too_long_or_no_text(text: object) -> None:
    assert parse_offset(text) is None


def test_an_offset_is_read_as_it_was_written() -> None:
    one = tracker(Offset(7, {"a": (2, 30), "b": None}))
    assert one.offset() == "7,a:2:30,b:e"
    assert parse_offset(one.offset()) == Offset(7, {"a": (2, 30), "b": None})


def test_a_long_offset_is_cut_and_says_so() -> None:
    one = tracker()
    for n in range(RUNS_MAX + 1):
        text = one.advanced(f"{n:012}", f"{n:012}:1:1000000")
    offset = parse_offset(text)
    assert offset is not None
    assert (len(offset.positions), offset.complete) == (RUNS_MAX, False)
    assert len(text) < 1024


def test_a_run_is_named_with_its_place_then_with_its_end_until_the_record_knows_it() -> None:
    one = tracker()
    assert one.advanced("a", "a:1:1") == "0,a:1:1"
    assert one.advanced("a", "a:1:2") == "0,a:1:2"
    assert one.ended("a") == "0,a:e"
    assert one.advanced("b", "b:1:1") == "0,a:e,b:1:1"
    one.ends_saved(one.ends_unsaved)
    assert one.advanced("b", "b:1:2") == "2,b:1:2"


def test_a_place_of_the_join_holds_until_an_offset_names_another() -> None:
    one = tracker()
    one.join(S, {"live": (1, 5)}, ["old"], shown_by="")
    state, joined = back(one, None)
    assert state.position(joined, "live") == (1, 5)
    assert state.has_all(joined, "old")
    assert state.position(joined, "new") is None
    assert not state.has_all(joined, "new")
    state, joined = back(one, one.advanced("live", "live:1:9"))
    assert state.position(joined, "live") == (1, 9)


def test_an_end_that_was_on_its_way_has_not_been_heard_although_the_record_knows_it() -> None:
    one = tracker()
    one.join(S, {}, [], shown_by="")
    before = one.offset()
    mid = one.advanced("a", "a:1:3")
    heard = one.ended("a")
    one.ends_saved(one.ends_unsaved)
    later = one.advanced("b", "b:1:1")
    assert "a" not in later
    for said, place in ((None, None), (before, None), (mid, (1, 3))):
        state, joined = back(one, said)
        assert not state.has_all(joined, "a")
        assert state.position(joined, "a") == place
    for said in (heard, later):
        state, joined = back(one, said)
        assert state.has_all(joined, "a")


def test_an_end_that_was_heard_counts_although_the_record_never_got_it() -> None:
    one = tracker()
    one.join(S, {}, [], shown_by="")
    at_join = dict(one.record)
    said = one.ended("a")
    said = one.advanced("b", "b:1:1")
    state = lost_socket(at_join, parse_offset(said), OWNER)
    assert state.has_all(state.joins[0], "a")


def test_a_resumed_that_was_on_its_way_is_still_awaited() -> None:
    one = tracker()
    before = one.offset()
    mark = one.join(S, {"a": (1, 4)}, [], shown_by="resumed")
    said = one.shown(mark, {"a": (1, 4)}, [])
    assert back(one, before)[1].missed_event == "resumed"
    assert back(one, None)[1].missed_event == "resumed"
    assert back(one, said)[1].missed_event == ""


def test_ends_between_do_not_make_an_awaited_resumed_look_received() -> None:
    one = tracker()
    one.join(S, {}, [], shown_by="")
    one.ended("a")
    said = one.advanced("b", "b:1:1")
    one.ends_saved(one.ends_unsaved)
    one.join(S, {}, [], shown_by="resumed")
    assert back(one, said)[1].missed_event == "resumed"
    assert back(one, one.advanced("b", "b:1:2"))[1].missed_event == "resumed"


def test_a_run_that_a_resumed_shows_whole_is_not_asked_for_again() -> None:
    one = tracker()
    one.advanced("a", "a:1:3")
    mark = one.join(S, {}, [], shown_by="resumed")
    state, joined = back(one, one.shown(mark, {}, ["a"]))
    assert state.has_all(joined, "a")


def test_nor_is_a_run_of_which_a_resync_was_the_first_word() -> None:
    one = tracker()
    one.join(S, {}, ["old"], shown_by="")
    before = one.offset()
    said = one.shown(0, {}, ["old", "a"])
    assert said == "0,a:e"
    state, joined = back(one, said)
    assert state.has_all(joined, "a")
    state, joined = back(one, before)  # the resync was on its way
    assert not state.has_all(joined, "a")
    one.ends_saved(one.ends_unsaved)
    assert one.shown(0, {}, ["old", "a"]) == one.offset()
    assert len(one.ends_unsaved) == 1


def test_the_next_socket_begins_with_what_the_lost_one_certainly_had() -> None:
    one = tracker()
    one.join(S, {"live": (1, 5)}, ["old"], shown_by="")
    one.mute(S.tag, "muted")
    one.ended("done")
    one.ends_saved(one.ends_unsaved)
    said = one.advanced("live", "live:1:9")
    one.advanced("live", "live:1:20")
    one.ended("flying")
    one.ends_saved(one.ends_unsaved)
    record, now = continued_record(one.record, parse_offset(said))
    again = OffsetTracker("pid", record, now, lambda: None)
    for text in (None, said, again.offset()):
        state, joined = back(again, text)
        assert state.position(joined, "live") == (1, 9)
        assert state.has_all(joined, "done")
        assert state.has_all(joined, "old")
        assert not state.has_all(joined, "flying")
        assert joined.muted == {"muted"}


def test_a_run_that_went_on_after_a_loss_and_ended_is_not_sent_again_after_the_next() -> None:
    one = tracker()
    one.join(S, {}, [], shown_by="")
    record, now = continued_record(one.record, parse_offset(one.advanced("a", "a:1:9")))
    again = OffsetTracker("pid", record, now, lambda: None)
    again.ended("a")
    again.ends_saved(again.ends_unsaved)
    state, joined = back(again, again.advanced("b", "b:1:1"))
    assert state.has_all(joined, "a")


def test_an_awaited_resumed_is_awaited_after_a_second_loss() -> None:
    one = tracker()
    one.join(S, {}, [], shown_by="resumed")
    record, now = continued_record(one.record, None)
    again = OffsetTracker("pid", record, now, lambda: None)
    assert back(again, None)[1].missed_event == "resumed"
    assert back(again, again.advanced("x", "x:1:1"))[1].missed_event == "resumed"


def test_a_socket_that_had_too_many_runs_does_not_guess() -> None:
    one = tracker()
    one.join(S, {}, [], shown_by="")
    state, joined = back(one, "0,a:1:2,+")
    assert state.position(joined, "a") == (1, 2)
    with pytest.raises(KeyError):
        state.position(joined, "b")


def test_an_offset_of_another_life_says_nothing_about_this_one() -> None:
    stale = parse_offset("5,a:1:7")
    record, now = fresh_record(stale)
    one = OffsetTracker("pid", record, now, lambda: None)
    one.join(S, {"a": (1, 2)}, [], shown_by="")
    state, joined = back(one, "5,a:1:7")
    assert state.position(joined, "a") == (1, 2)
    state, joined = back(one, one.advanced("a", "a:1:3"))
    assert state.position(joined, "a") == (1, 3)


def test_who_leaves_a_session_does_not_come_back_to_it() -> None:
    one = tracker()
    one.join(S, {}, [], shown_by="")
    one.mute(S.tag, "a")
    one.leave(S.tag)
    assert not one.has_joined()
    assert lost_socket(one.record, None, OWNER).joins == []


def test_records_stay_small_however_many_runs_and_sessions_there_are() -> None:
    one = tracker()
    for n in range(1000):
        one.join(FeedAddress(OWNER, f"s{n}"), {}, [], shown_by="")
        one.mute(S.tag, f"m{n}")
        one.ended(f"r{n}")
    assert len(one.record) < 350


class RecordedPackets:
    def __init__(self) -> None:
        self.sent: list[tuple[list[str], bytes]] = []

    def deliver(self, sids: list[str], entry: bytes) -> None:
        self.sent.append((list(sids), entry))


def test_sockets_that_stand_alike_share_a_packet_and_others_get_plain_events() -> None:
    recorded = RecordedPackets()
    emitter = OffsetEmitter(recorded, {"a": tracker(), "b": tracker(), "c": tracker(Offset(4))})  # type: ignore[arg-type]
    entry = encode("message.delta", {"delta": 'x"]'})
    emitter.run_entries(["a", "b", "c", "python"], "run", 1, 8, [entry, entry], ended=True)
    assert recorded.sent == [
        (["python"], entry),
        (["a", "b"], with_offset(entry, "0,run:1:7")),
        (["c"], with_offset(entry, "4,run:1:7")),
        (["python"], entry),
        (["a", "b"], with_offset(entry, "0,run:e")),
        (["c"], with_offset(entry, "4,run:e")),
    ]


@pytest.mark.parametrize(
    ("query", "agent", "said", "wants"),
    [
        ("EIO=4&transport=websocket", None, {}, True),
        ("profile=x&EIO=4&transport=polling&t=abc", "node-XMLHttpRequest", {}, True),
        ("EIO=4&transport=polling&t=abc", "Mozilla/5.0 (X11)", {}, True),
        ("transport=websocket&EIO=4&t=1.5", None, {}, False),
        ("transport=polling&EIO=4&t=1.5", "python-requests/2.32", {}, False),
        ("EIO=4&transport=websocket", "Python/3.11 aiohttp/3.12", {}, False),
        ("EIO=4&transport=websocket", "Dart/3.5 (dart:io)", {}, False),
        ("protocol=2&EIO=4&transport=websocket", None, {}, False),
        ("EIO=4&transport=websocket", None, {"protocol": 2}, False),
        ("protocol=2&recovery=1&EIO=4&transport=websocket", None, {}, True),
        ("EIO=4&transport=websocket", None, {"recovery": 0}, False),
        ("recovery=0&EIO=4&transport=websocket", "Mozilla/5.0", {}, False),
        ("transport=websocket&EIO=4", "any", {"recovery": 1}, True),
    ],
)
def test_offsets_go_to_those_who_ask_and_those_who_look_like_socket_io_client(
    query: str, agent: str | None, said: dict[str, object], wants: bool
) -> None:
    headers = {"User-Agent": agent} if agent is not None else {}
    with Flask("test").test_request_context(f"/?{query}", headers=headers) as context:
        if agent is None:
            context.request.environ.pop("HTTP_USER_AGENT", None)
        assert wants_recovery(said) is wants
