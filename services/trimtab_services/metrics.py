"""What an endpoint counts, for Prometheus; every label has few values."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Observed(Protocol):
    """What is asked for its state when somebody reads the metrics."""

    def facts(self) -> Mapping[str, str]:
        """Give the labels of `trimtab_version`."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Give the counters that others keep, by name."""
        ...


class Metrics:
    """The counters of one endpoint's process."""

    def __init__(self, observed: Observed) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Reader(observed))
        self._requests = Counter(
            "trimtab_requests",
            "Requests to /predict, by the class of their status.",
            ["status"],
            registry=self._registry,
        )
        self._rows = Counter("trimtab_rows", "Rows answered.", registry=self._registry)
        self._seconds = Histogram(
            "trimtab_request_seconds",
            "Receipt to answer, of answered requests.",
            buckets=_SECONDS,
            registry=self._registry,
        )

    def answer(self, rows: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels("2xx").inc()
        self._rows.inc(rows)
        self._seconds.observe(seconds)

    def refuse(self, status: int) -> None:
        """Count a request that was refused or failed."""
        self._requests.labels(f"{status // 100}xx").inc()

    def page(self) -> bytes:
        """Give all of it in Prometheus' text format, CONTENT_TYPE."""
        return generate_latest(self._registry)


class _Reader:
    def __init__(self, observed: Observed) -> None:
        self._observed = observed

    def collect(self) -> Iterable[Metric]:
        """Read the present state."""
        facts = self._observed.facts()
        info = GaugeMetricFamily("trimtab_version", "The version that answers.", labels=list(facts))
        info.add_metric(list(facts.values()), 1)
        yield info
        for name, count in self._observed.counts().items():
            yield CounterMetricFamily(f"trimtab_{name}", f"Requests {name}.", value=count)
