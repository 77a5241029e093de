"""Ends a run: writes transcript, status and terminal event, closes the stream, in this order."""

from __future__ import annotations

import json

from deploy.demo_gateway.runs.event_stream import Mark
from deploy.demo_gateway.runs.runs import Run
from deploy.demo_gateway.runs.turn import Turn

# The real gateway writes a line of its own where no text had come yet.
NOTHING_SAID = "Operation interrupted: waiting for model response (0.1s elapsed)."


def end_turn(turn: Turn, end: str) -> None:
    """End the turn's run as `end` says (script.End)."""
    run = turn.run
    run.approvals.clear()
    run.writer.open()
    if end == "failed":
        _fail(run)
    elif end == "cancelled":
        _cancel(turn)
    elif end == "interrupted":
        _interrupt(turn)
    else:
        _complete(turn, announced=end == "completed")
    run.record.seal()
    if end != "silent":
        run.stream.put(Mark.CLOSE)


def _complete(turn: Turn, *, announced: bool) -> None:
    run, wanted = turn.run, turn.run.order.script.output
    output = turn.text if wanted is None else wanted
    if output:
        turn.close(output, "stop")
    usage = _usage(run)
    run.set_status("completed", output=output, usage=usage, last_event="run.completed")
    if announced:
        run.send_event("run.completed", output=output, usage=usage)


def _fail(run: Run) -> None:
    error = run.order.script.error
    run.set_status("failed", error=error, last_event="run.failed")
    run.send_event("run.failed", error=error)


def _cancel(turn: Turn) -> None:
    """The partial answer is kept."""
    turn.close(turn.text.strip() or NOTHING_SAID, None)
    turn.run.set_status("cancelled", last_event="run.cancelled")
    turn.run.send_event("run.cancelled")


def _interrupt(turn: Turn) -> None:
    """The partial answer is kept."""
    error = "Gateway shutdown interrupted the run."
    if turn.text.strip():
        turn.close(turn.text.strip(), None)
    turn.run.set_status("interrupted", error=error, last_event="run.interrupted")
    turn.run.send_event("run.interrupted", error=error)


def _usage(run: Run) -> dict[str, int]:
    """Tokens of the run, guessed from the request's characters; counted into the session."""
    order, wanted = run.order, run.order.script.usage
    context = json.dumps([order.body.get("conversation_history"), order.body.get("instructions")])
    given = wanted.input_tokens if wanted else (len(context) + len(order.text)) // 4 + 1
    made = wanted.output_tokens if wanted else run.record.tokens_sent
    run.writer.add_usage(given, made, order.script.reasoning)
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}
