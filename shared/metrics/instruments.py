"""The kinds of metrics, and the registry of one role, which knows what it has for docs/METRICS.md.

An instrument is a number of the process, as a logger is its log: it is made at import, in the
module of its role, and used where the thing happens. Where a number is kept anyway, an `Observed`
one reads it when Prometheus asks, so that the way of a token has nothing to count.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

# Their times of birth would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]

log = logging.getLogger(__name__)

Labels = tuple[str, ...]
Read = Callable[[], Mapping[Labels, float]]

#: Upper bounds of histograms, in seconds: of work in memory, of requests, of runs.
SHORT: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
REQUESTS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RUNS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
#: The same of numbers of tokens: powers of four, as OpenTelemetry has them.
TOKENS: Final = tuple(4.0**power for power in range(14))


@dataclass(frozen=True)
class Definition:
    """One metric. `name`: as Prometheus shows it; `kind`: counter, gauge or histogram."""

    name: str
    kind: str
    text: str
    labels: Labels


class Observed(Collector):
    """A counter or gauge that is read when it is asked for."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._read: Read = dict

    def read_from(self, read: Read) -> None:
        """Ask `read` from now on: values of the labels -> value. It must not wait for the network
        in a green process."""
        self._read = read

    def value_from(self, read: Callable[[], float]) -> None:
        """The same for a metric without labels."""
        self._read = lambda: {(): read()}

    def describe(self) -> Iterator[Metric]:
        """Yield it without values."""
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        """Yield it with the values of now."""
        family = self._family()
        try:
            for labels, value in self._read().items():
                family.add_metric(labels, value)
        except Exception:  # the edge of one metric: the others can be read
            log.exception("metrics.unread name=%s", self.definition.name)
        yield family

    def _family(self) -> CounterMetricFamily | GaugeMetricFamily:
        one = self.definition
        family = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
        return family(one.name, one.text, labels=one.labels)


class Registry:
    """The metrics of one role."""

    def __init__(self, role: str) -> None:
        """`role`: which processes have them, for people."""
        self.role = role
        self.prometheus = CollectorRegistry()
        self.defined: list[Definition] = []

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Make a counter; its name ends with `_total`."""
        self._define(name, "counter", text, labels)
        return Counter(name, text, labels, registry=self.prometheus)

    def histogram(
        self, name: str, text: str, *labels: str, buckets: Sequence[float] = REQUESTS
    ) -> Histogram:
        """Make a histogram with these upper bounds."""
        self._define(name, "histogram", text, labels)
        return Histogram(name, text, labels, registry=self.prometheus, buckets=buckets)

    def observed_counter(self, name: str, text: str, *labels: str) -> Observed:
        """Make a counter that is read where it is kept; it has no values before that is said."""
        return self._observed(name, "counter", text, labels)

    def observed_gauge(self, name: str, text: str, *labels: str) -> Observed:
        """Make a gauge that is read where it is kept; it has no values before that is said."""
        return self._observed(name, "gauge", text, labels)

    def _observed(self, name: str, kind: str, text: str, labels: Labels) -> Observed:
        observed = Observed(self._define(name, kind, text, labels))
        self.prometheus.register(observed)
        return observed

    def _define(self, name: str, kind: str, text: str, labels: Labels) -> Definition:
        definition = Definition(name, kind, text, labels)
        self.defined.append(definition)
        return definition
