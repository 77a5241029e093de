"""The judge finds what is wrong: each test spoils a sound record in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.evidence.evidence import Evidence, Grown, Injected, Produced, ReceivedEvent, Sent
from tests.chaos.evidence.report import summary, table
from tests.chaos.evidence.run_history import run_history
from tests.chaos.evidence.sample_evidence import RUN, START, TOKENS, received_event, row, sound
from tests.chaos.judge.pauses import by_fault
from tests.chaos.judge.tokens import compare
from tests.chaos.judge.verdict import judge
from tests.chaos.schedule import draw


def kinds(evidence: Evidence) -> set[str]:
    return {violation.kind for violation in judge(evidence)}


def test_a_sound_record_has_no_violation() -> None:
    assert judge(sound()) == []


def lose_a_token(evidence: Evidence) -> None:
    page = evidence.pages[0]
    page.received[4] = replace(page.received[4], text="")


def lose_an_event(evidence: Evidence) -> None:
    del evidence.pages[1].received[4]


def double_a_token(evidence: Evidence) -> None:
    page = evidence.pages[0]
    page.received[4] = replace(page.received[4], text=page.received[4].text * 2)


def double_an_event(evidence: Evidence) -> None:
    evidence.pages[0].received.insert(4, evidence.pages[0].received[4])


def swap_two_tokens(evidence: Evidence) -> None:
    events = evidence.pages[0].received
    events[4], events[5] = replace(events[4], text=TOKENS[3]), replace(events[5], text=TOKENS[2])


def swap_two_events(evidence: Evidence) -> None:
    events = evidence.pages[1].received
    events[4], events[5] = events[5], events[4]


def end_twice(evidence: Evidence) -> None:
    end = {"event": "run.completed", "seq": 13}
    evidence.pages[0].received.append(received_event(end, START + 3))


def end_twice_in_the_log(evidence: Evidence) -> None:
    evidence.logs[RUN].append((13, {"event": "run.failed", "seq": 13}))


def never_show_the_end(evidence: Evidence) -> None:
    evidence.pages[0].received.pop()


def never_show_the_run(evidence: Evidence) -> None:
    del evidence.pages[1].received[1:]


def go_on_after_the_end(evidence: Evidence) -> None:
    evidence.pages[0].received.append(
        received_event({"event": "message.delta", "seq": 13}, START + 3)
    )


def change_the_epoch(evidence: Evidence) -> None:
    events = evidence.pages[0].received
    events[5:] = [replace(one, epoch=2) for one in events[5:]]


def leave_a_gap_in_the_log(evidence: Evidence) -> None:
    del evidence.logs[RUN][3]


def post_twice(evidence: Evidence) -> None:
    evidence.produced["gw_0"] = Produced("gw_0", "eph_1", START - 1, 77, [], 0, "completed")


def post_unseen(evidence: Evidence) -> None:
    evidence.produced["gw_2"] = Produced("gw_2", "eph_2", START, 77)


def answer_without_a_post(evidence: Evidence) -> None:
    evidence.attempts.clear()


def leave_it_open(evidence: Evidence) -> None:
    evidence.runs[RUN] = row(state="running", ended_at=None, announced_at=None)


def leave_it_unannounced(evidence: Evidence) -> None:
    evidence.runs[RUN] = row(announced_at=None)


def fail_without_a_fault(evidence: Evidence) -> None:
    evidence.runs[RUN] = row(state="failed", reason="gateway_lost_run")


def fail_inside(evidence: Evidence) -> None:
    evidence.runs[RUN] = row(state="failed", reason="internal")
    evidence.faults.append(Injected("GatewayKilled", START, START + 1))


def abort_unasked(evidence: Evidence) -> None:
    evidence.runs[RUN] = row(state="aborted", reason="aborted")


def store_too_little(evidence: Evidence) -> None:
    evidence.messages[RUN][1]["content"] = "".join(TOKENS[:-1])


def forget_a_tool(evidence: Evidence) -> None:
    evidence.produced["gw_1"].messages.append({"role": "tool", "content": "out"})


def forget_a_prompt(evidence: Evidence) -> None:
    evidence.sent.append(Sent(START, "s0", "s0x1", "s0x1", "run_2", "ok"))


def lose_a_prompt_on_the_way(evidence: Evidence) -> None:
    evidence.sent.append(Sent(START, "s0", "s0x1", "", "", "unacknowledged"))


def do_a_prompt_twice(evidence: Evidence) -> None:
    evidence.runs["run_2"] = row(id="run_2", session_id="s9")


def keep_a_key(evidence: Evidence) -> None:
    evidence.keys["hf:{x}:meta:run_1"] = -1


def keep_listening(evidence: Evidence) -> None:
    evidence.channels.append("hf:{x}:bell")


def grow(evidence: Evidence) -> None:
    evidence.memory.append(Grown("web.0", 1, 100, 111, 600, (1, 1), (9, 9)))


def fall_silent(evidence: Evidence) -> None:
    evidence.faults.append(Injected("WebKilled", START + 0.3, START + 0.3))
    page = evidence.pages[0]
    page.received[4:] = [replace(one, at=one.at + 3) for one in page.received[4:]]


def break_a_fault(evidence: Evidence) -> None:
    evidence.broken.append("WebTerminated: exit code 1")


def stream_a_token_less(evidence: Evidence) -> None:
    del evidence.streams["s0"][4]


def stream_an_event_twice(evidence: Evidence) -> None:
    evidence.streams["s0"].append(evidence.streams["s0"][-1])


def stream_the_beginning_again(evidence: Evidence) -> None:
    evidence.streams["s0"].insert(1, evidence.streams["s0"][0])


def stream_nothing(evidence: Evidence) -> None:
    evidence.streams["s0"] = []


def stream_no_later_run(evidence: Evidence) -> None:
    evidence.runs["run_2"] = row(id="run_2", created_at=START + 5)


def refuse_a_stream(evidence: Evidence) -> None:
    evidence.streams["s0"].append({"event": "refused"})


SPOILERS: list[tuple[str, Callable[[Evidence], None]]] = [
    ("text", lose_a_token),
    ("seq", lose_an_event),
    ("text", double_a_token),
    ("seq", double_an_event),
    ("text", swap_two_tokens),
    ("seq", swap_two_events),
    ("ended twice", end_twice),
    ("ended twice", end_twice_in_the_log),
    ("end not received", never_show_the_end),
    ("text", never_show_the_run),
    ("seq", go_on_after_the_end),
    ("seq", change_the_epoch),
    ("log", leave_a_gap_in_the_log),
    ("posts", post_twice),
    ("posts", post_unseen),
    ("posts", answer_without_a_post),
    ("open run", leave_it_open),
    ("open run", leave_it_unannounced),
    ("end", fail_without_a_fault),
    ("end", fail_inside),
    ("end", abort_unasked),
    ("transcript", store_too_little),
    ("transcript", forget_a_tool),
    ("prompt", forget_a_prompt),
    ("prompt", lose_a_prompt_on_the_way),
    ("prompt", do_a_prompt_twice),
    ("key without TTL", keep_a_key),
    ("subscription", keep_listening),
    ("memory", grow),
    ("pause", fall_silent),
    ("fault", break_a_fault),
    ("stream", stream_a_token_less),
    ("stream", stream_an_event_twice),
    ("stream", stream_the_beginning_again),
    ("stream", stream_nothing),
    ("stream", stream_no_later_run),
    ("stream refused", refuse_a_stream),
]


@pytest.mark.parametrize(("kind", "spoil"), SPOILERS, ids=[s.__name__ for _, s in SPOILERS])
def test_what_is_wrong_is_found(kind: str, spoil: Callable[[Evidence], None]) -> None:
    evidence = sound()
    spoil(evidence)
    assert kind in kinds(evidence)


def test_lost_doubled_and_swapped_tokens_are_distinguished() -> None:
    wanted = "".join(TOKENS)
    lost = compare(wanted, wanted.replace(TOKENS[3], ""))
    doubled = compare(wanted, wanted + TOKENS[9])
    swapped = compare(wanted, "".join([*TOKENS[:3], TOKENS[4], TOKENS[3], *TOKENS[5:]]))
    assert lost is not None
    assert doubled is not None
    assert swapped is not None
    assert (lost.lost, lost.doubled, lost.disordered) == (1, 0, 0)
    assert (doubled.lost, doubled.doubled, doubled.disordered) == (0, 1, 0)
    assert (swapped.lost, swapped.doubled, swapped.disordered) == (0, 0, 1)


def test_a_death_of_the_gateway_explains_a_lost_run_and_a_second_post() -> None:
    evidence = sound()
    evidence.produced["gw_0"] = Produced("gw_0", "eph_1", START - 1, 66)
    assert judge(evidence) == []
    evidence.runs[RUN] = row(state="failed", reason="gateway_lost_run")
    evidence.faults.append(Injected("GatewayKilled", START + 1, START + 2))
    assert judge(evidence) == []


def test_a_run_that_ended_in_a_gateway_that_forgot_it_may_be_posted_again() -> None:
    evidence = sound()
    evidence.produced["gw_0"] = Produced("gw_0", "eph_0", START - 1, 66, status="completed")
    attempt = {"run_id": RUN, "ephemeral_id": "eph_0", "gateway_run_id": None}
    proved = {**attempt, "proved_absent_at": START}
    evidence.attempts[1:] = [proved]
    assert kinds(evidence) == set()
    for unproved in (attempt, {**proved, "gateway_run_id": "gw_0"}):
        evidence.attempts[1:] = [unproved]
        assert kinds(evidence) == {"posts"}
    evidence.attempts[1:] = [proved]
    same = evidence.made_for(RUN)[-1].pid
    evidence.produced["gw_0"] = replace(evidence.produced["gw_0"], pid=same)
    assert kinds(evidence) == {"posts"}, "the process that had it was still there"


def test_a_page_that_was_left_early_needs_only_a_beginning() -> None:
    evidence = sound()
    page = evidence.pages[0]
    page.until_end = False
    del page.received[5:]
    assert judge(evidence) == []
    page.received[3] = replace(page.received[3], text="something else;")
    assert kinds(evidence) == {"text"}


def test_a_session_shown_anew_replaces_what_was_there() -> None:
    evidence = sound()
    shown = {"replay": False, "degraded": False, "working": True}
    page = evidence.pages[0]
    again = replace(page.received[0], run_id=RUN, epoch=2, seq=5)
    page.received[5:] = [
        replace(again, shown={**shown, "texts": {RUN: "".join(TOKENS[:3])}}),
        *(replace(one, epoch=2, seq=one.seq + 1) for one in page.received[5:]),
    ]
    assert judge(evidence) == []


def test_a_run_that_is_shown_without_its_lost_log_begins_again_in_the_next_epoch() -> None:
    evidence = sound()
    page = evidence.pages[0]
    whole = [replace(one, epoch=2) for one in page.received[1:]]
    shown = {"replay": False, "degraded": False, "working": True, "texts": {RUN: ""}}
    page.received[5:] = [replace(page.received[0], run_id=RUN, shown=shown), *whole]
    assert judge(evidence) == []
    del page.received[6:8]
    assert kinds(evidence) == {"text", "seq"}


@pytest.mark.parametrize(("seconds", "found"), [(1.0, set()), (6.0, {"seq"})])
def test_an_end_without_what_precedes_it_is_shown_anew_within_seconds(
    seconds: float, found: set[str]
) -> None:
    evidence = sound()
    page = evidence.pages[0]
    said, shown = page.received[5:], {"replay": False, "degraded": False, "working": False}
    whole = {**shown, "texts": {RUN: "".join(TOKENS)}}
    page.received[4:] = [said[-1]]
    assert kinds(evidence) == {"text", "seq"}
    at = said[-1].at + seconds
    page.received.append(ReceivedEvent(at, "session.resync", "", 0, 0, shown=whole))
    assert kinds(evidence) == found


def test_a_gap_before_anything_else_is_a_fault_whatever_is_shown_then() -> None:
    evidence = sound()
    page = evidence.pages[0]
    said, shown = page.received[4:], {"replay": False, "degraded": False, "working": False}
    whole = {**shown, "texts": {RUN: "".join(TOKENS)}}
    page.received[4:] = [said[2]]
    page.received.append(ReceivedEvent(said[2].at + 0.1, "session.resync", "", 0, 0, shown=whole))
    assert "seq" in kinds(evidence)


@pytest.mark.parametrize(("degraded", "found"), [(True, set()), (False, {"seq", "text"})])
def test_after_a_degraded_answer_a_run_may_come_from_its_beginning(
    degraded: bool, found: set[str]
) -> None:
    evidence = sound()
    page = evidence.pages[0]
    shown = {"replay": not degraded, "degraded": degraded, "working": True, "texts": {}}
    again = [replace(one, at=one.at + 2) for one in page.received[1:]]
    page.received[5:] = [replace(page.received[0], run_id=RUN, shown=shown), *again]
    assert kinds(evidence) == found
    if degraded:
        del page.received[8]
        assert "text" in kinds(evidence)


def test_refused_prompts_are_no_ends() -> None:
    evidence = sound()
    refused = ReceivedEvent(START + 3, "run.failed", "", 0, 0, detail="database_unavailable")
    evidence.pages[0].received += [refused, refused]
    assert judge(evidence) == []


def test_the_longest_pause_is_put_down_to_the_fault() -> None:
    evidence = sound()
    fall_silent(evidence)
    assert by_fault(evidence)["WebKilled"].seconds == pytest.approx(3.0, abs=0.2)


def test_a_page_that_comes_back_and_is_shown_the_same_is_in_the_same_pause() -> None:
    evidence = sound()
    fall_silent(evidence)
    page, before = evidence.pages[0], evidence.pages[0].received[3]
    shown = {"replay": True, "degraded": False, "working": True, "texts": {}}
    again = ReceivedEvent(before.at + 2, "resumed", RUN, before.epoch, before.seq, shown=shown)
    page.received.insert(4, again)
    assert by_fault(evidence)["WebKilled"].seconds == pytest.approx(3.0, abs=0.2)


def test_the_table_and_the_history_show_it() -> None:
    evidence = sound()
    lose_a_token(evidence)
    found = judge(evidence)
    text = table(summary(draw(7, 60, "sqlite"), evidence, found))
    assert "seed 7" in text
    assert "lost             1" in text
    assert "gateway gw_1" in run_history(evidence, RUN, {"worker.0": f"run.claimed run_id={RUN}"})


def test_the_same_seed_draws_the_same_plan() -> None:
    def drawn(seed: int) -> str:
        plan = draw(seed, 120, "postgres")
        return repr((plan.sessions, [(at, f.name, vars(f)) for at, f in plan.faults]))

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_thirty_minutes_have_three_hundred_faults_and_three_thousand_runs() -> None:
    plan = draw(1, 1800, "postgres")
    assert len(plan.faults) >= 300
    assert plan.runs >= 3000
