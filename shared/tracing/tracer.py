"""Sends spans to a collector of OpenTelemetry, over OTLP and HTTP, in a thread of its own.

Where TRACES_URL is not set, nothing of OpenTelemetry is imported, and `emit` does nothing. What
cannot be sent within some seconds is dropped: no run waits for a collector.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from contextvars import ContextVar, copy_context
from typing import Any, Final, Protocol, cast

from shared.errors import SettingsError
from shared.log_context import trace_of
from shared.settings import Settings
from shared.tracing.run_spans import EndedRun, Span, root_id, spans_of

log = logging.getLogger(__name__)

MISSING: Final = "TRACES_URL: OpenTelemetry is not installed; `pip install 'holdfast[otel]'`"
NANO: Final = 1_000_000_000

_next_ids: ContextVar[tuple[int, int] | None] = ContextVar("next_span_ids", default=None)


class Tracer(Protocol):
    """What processes tell of runs."""

    def run_ended(self, run: EndedRun) -> None:
        """Send the run's root and all that its owners did."""

    def part(self, run_id: str, span: Span) -> None:
        """Send what a process did for a run, as a child of the run's root."""

    def stop(self) -> None:
        """Send what waits, for some seconds at most."""


class NoTracer:
    """Sends nothing."""

    def run_ended(self, run: EndedRun) -> None:
        """See Tracer."""

    def part(self, run_id: str, span: Span) -> None:
        """See Tracer."""

    def stop(self) -> None:
        """See Tracer."""


class OtelTracer:
    """Sends to a collector, or to another exporter."""

    def __init__(self, exporter: Any, role: str) -> None:
        """`exporter`: a SpanExporter; `role`: of the process. Raises SettingsError where
        OpenTelemetry is not installed."""
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise SettingsError([MISSING]) from error
        resource = Resource.create({"service.name": "holdfast", "holdfast.role": role})
        self._provider = TracerProvider(
            resource=resource, id_generator=cast("Any", _Ids()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("holdfast")

    def run_ended(self, run: EndedRun) -> None:
        """See Tracer. Raises nothing: a run does not end otherwise because of its trace."""
        root, children = spans_of(run)
        self._emit(run.run_id, [], root=root)
        self._emit(run.run_id, children)

    def part(self, run_id: str, span: Span) -> None:
        """See Tracer. Raises nothing."""
        self._emit(run_id, [span])

    def stop(self) -> None:
        """See Tracer."""
        self._provider.shutdown()

    def _emit(self, run_id: str, spans: Iterable[Span], *, root: Span | None = None) -> None:
        from opentelemetry import trace

        ids = int(trace_of(run_id), 16) or 1, root_id(run_id)
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        parent = trace.SpanContext(*ids, is_remote=True, trace_flags=flags)
        below_root = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        try:
            if root is not None:
                copy_context().run(self._send_root, root, ids)
            for span in spans:
                self._send(span, below_root)
        except Exception:  # the edge: the run has ended, whatever becomes of its trace
            log.exception("trace.failed run_id=%s", run_id)

    def _send_root(self, root: Span, ids: tuple[int, int]) -> None:
        from opentelemetry.context import Context

        _next_ids.set(ids)
        self._send(root, Context())

    def _send(self, one: Span, context: Any) -> None:
        from opentelemetry.trace import Status, StatusCode

        span = self._tracer.start_span(
            one.name,
            context=context,
            attributes=dict(one.attributes),
            start_time=int(one.began * NANO),
        )
        for name, at in one.events:
            span.add_event(name, timestamp=int(at * NANO))
        if one.error is not None:
            span.set_status(Status(StatusCode.ERROR, one.error))
        span.end(int(one.ended * NANO))


class _Ids:
    """Makes ids as the SDK does; those of a root follow from its run."""

    def generate_span_id(self) -> int:
        """Return 64 bits, not zero."""
        ids = _next_ids.get()
        return ids[1] if ids is not None else random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """Return 128 bits, not zero."""
        ids = _next_ids.get()
        return ids[0] if ids is not None else random.getrandbits(128) or 1

    def is_trace_id_random(self) -> bool:
        """Whether parts of the id may be used as random numbers: it is made of a random run id."""
        return False


def tracer_of(settings: Settings, role: str) -> Tracer:
    """Return that of a process. Raises SettingsError where OpenTelemetry is not installed."""
    if not settings.traces_url:
        return NoTracer()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise SettingsError([MISSING]) from error
    return OtelTracer(OTLPSpanExporter(endpoint=settings.traces_url, timeout=5), role)
