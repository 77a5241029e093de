"""The trace of a run: one, whoever had the run, with the times of its timeline."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from shared.log_context import trace_of
from shared.settings import Settings
from shared.tracing.run_spans import EndedRun, Span, root_id, spans_of
from shared.tracing.tracer import NoTracer, OtelTracer, tracer_of

RUN = "run_" + "ab" * 16
STEPS: list[dict[str, Any]] = [
    {"at": 12.0, "step": "started", "attempt": 1},
    {"at": 13.0, "step": "first_token"},
    {"at": 14.0, "step": "tool_started", "tool": "clock"},
    {"at": 15.0, "step": "tool_started", "tool": "clock"},
    {"at": 16.0, "step": "tool_completed", "tool": "clock", "failed": True},
    {"at": 17.0, "step": "claimed", "attempt": 2, "taken_over": True},
    {"at": None, "step": "tool_completed", "tool": "clock"},
]


def a_run(**changes: Any) -> EndedRun:
    values = {
        "run_id": RUN,
        "accepted_at": 10.0,
        "claimed_at": 11.0,
        "ended_at": 20.0,
        "attributes": {"holdfast.profile": "default"},
        "steps": STEPS,
    }
    return EndedRun(**{**values, **changes})


def times(spans: list[Span], name: str) -> list[tuple[float, float]]:
    return [(span.began, span.ended) for span in spans if span.name == name]


def test_a_takeover_begins_another_span_of_the_same_trace() -> None:
    root, children = spans_of(a_run())
    assert (root.began, root.ended, root.events) == (10.0, 20.0, [("first_token", 13.0)])
    assert times(children, "queue") == [(10.0, 11.0)]
    assert times(children, "worker") == [(11.0, 17.0), (17.0, 20.0)]
    assert [one.attributes["holdfast.taken_over"] for one in children if one.name == "worker"] == [
        False,
        True,
    ]
    assert times(children, "chat") == [(12.0, 20.0)]


def test_a_tool_ends_with_its_oldest_call_or_with_the_run() -> None:
    _, children = spans_of(a_run())
    assert times(children, "execute_tool clock") == [(14.0, 16.0), (15.0, 20.0)]
    assert [span.error for span in children if "clock" in span.name] == ["the tool failed", None]


def sent(exporter: InMemorySpanExporter, tracer: OtelTracer) -> dict[str, ReadableSpan]:
    tracer.stop()
    return {span.name: span for span in exporter.get_finished_spans()}


def test_the_parts_of_two_processes_are_one_trace_under_one_root() -> None:
    at_web, at_worker = InMemorySpanExporter(), InMemorySpanExporter()
    web, worker = OtelTracer(at_web, "web"), OtelTracer(at_worker, "worker")
    web.part(RUN, Span("accept", 9.9, 10.1))
    worker.run_ended(a_run(error="gateway_error"))
    spans = {**sent(at_web, web), **sent(at_worker, worker)}
    root = spans["invoke_agent"]
    assert root.context is not None
    assert root.parent is None
    assert f"{root.context.trace_id:032x}" == trace_of(RUN) == "ab" * 16
    assert root.context.span_id == root_id(RUN)
    assert (root.start_time, root.end_time) == (10 * 10**9, 20 * 10**9)
    assert root.status.status_code is StatusCode.ERROR
    others = [span for name, span in spans.items() if name != "invoke_agent"]
    assert {span.parent.span_id for span in others if span.parent} == {root.context.span_id}
    assert {span.context.trace_id for span in others if span.context} == {root.context.trace_id}
    assert len({span.context.span_id for span in others if span.context}) == len(others)


def test_a_trace_that_cannot_be_made_harms_nobody() -> None:
    tracer = OtelTracer(InMemorySpanExporter(), "worker")
    tracer.run_ended(a_run(ended_at=float("nan")))
    tracer.stop()


def test_without_a_collector_there_is_no_trace() -> None:
    assert isinstance(tracer_of(Settings.load({}), "web"), NoTracer)
