"""What an endpoint counts, for Prometheus; every label has few values."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_CLASSES = ("2xx", "4xx", "5xx")


class Observed(Protocol):
    """What is asked for its state when somebody reads the metrics."""

    def facts(self) -> Mapping[str, str]:
        """Give the labels of `trimtab_version`."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Give the counters that others keep, by name."""
        ...

    def gauges(self) -> Mapping[str, float]:
        """Give what goes up and down, by name."""
        ...


class Metrics:
    """The counters of one endpoint's process; plain numbers, as they stand in each request's way.

    Only the event loop's thread counts.
    """

    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._requests = dict.fromkeys(_CLASSES, 0)
        self._rows = 0
        self._in_bucket = [0] * (len(_SECONDS) + 1)
        self._seconds = 0.0

    def answer(self, rows: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests["2xx"] += 1
        self._rows += rows
        self._in_bucket[bisect_left(_SECONDS, seconds)] += 1
        self._seconds += seconds

    def refuse(self, status: int) -> None:
        """Count a request that was refused or failed."""
        self._requests[f"{status // 100}xx"] += 1

    def page(self) -> bytes:
        """Give all of it in Prometheus' text format, CONTENT_TYPE."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Read the present state."""
        facts = self._observed.facts()
        info = GaugeMetricFamily(
            "trimtab_version",
            "1, with what answers as labels: model, version and device.",
            labels=list(facts),
        )
        info.add_metric(list(facts.values()), 1)
        yield info
        requests = CounterMetricFamily(
            "trimtab_requests",
            "Requests to /predict by class of status; 401 and 403 are in no other count.",
            labels=["status"],
        )
        for status, count in self._requests.items():
            requests.add_metric([status], count)
        yield requests
        yield CounterMetricFamily(
            "trimtab_rows", "Rows of the requests that were answered with 200.", value=self._rows
        )
        yield self._histogram()
        for name, count in self._observed.counts().items():
            yield CounterMetricFamily(f"trimtab_{name}", _COUNTS[name], value=count)
        for name, value in self._observed.gauges().items():
            yield GaugeMetricFamily(f"trimtab_{name}", _GAUGES[name], value=value)

    def _histogram(self) -> Metric:
        bounds = [*map(str, _SECONDS), "+Inf"]
        family = HistogramMetricFamily(
            "trimtab_request_seconds",
            "Seconds from receipt to answer, of requests answered with 200.",
        )
        counts = list(accumulate(self._in_bucket))
        family.add_metric([], list(zip(bounds, counts, strict=True)), self._seconds)
        return family


_COUNTS = {
    "labels_kept": "Labels that callers told and that are on this disk, or were.",
    "answered": "Requests that this process answered or refused and that belong into the log: "
    "captured and dropped ones together, while capture is on.",
    "captured": "Requests written to the capture spool before they were answered.",
    "dropped": "Requests answered and not captured, as the disk or the spool's budget was full.",
    "challenger_asked": "Requests of a canary that went to the challenger.",
    "challenger_failed": "Those of them that the challenger could not answer: the champion did.",
}
_GAUGES = {
    "device_fallback": "1 where the CPU answers although a GPU is wanted, 0 otherwise.",
    "capture_spool_bytes": "Bytes of the capture spool on this disk; the shipper empties it.",
    "capture_unsynced_bytes": "Bytes captured that a power loss would take, synced within 20 ms.",
}
