"""Traces: a caller's own goes on in the answer, and spans go to an exporter where one is set up."""

import threading
import time
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .reply import Arrival, Reply

CLOSE_SECONDS = 1.0
"""How long the last spans may take at the end; no caller waits for a collector that is gone."""
_READER = TraceContextTextMapPropagator()


class Tracer:
    """Exports a span of every prediction, by OTLP over HTTP, as the `OTEL_...` variables say."""

    def __init__(self, model: str) -> None:
        """Start the thread that exports, so not before the last fork."""
        named = Resource({SERVICE_NAME: model}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=named, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("trimtab")
        self._model = model

    def record(self, headers: Mapping[bytes, bytes], arrival: Arrival, reply: Reply) -> bytes:
        """Hand over the span of an answered request; give the answer's `traceparent`."""
        names = (b"traceparent", b"tracestate")
        given = {
            name.decode(): headers[name].decode("latin-1") for name in names if name in headers
        }
        end = time.time_ns()
        span = self._tracer.start_span(
            "POST /predict",
            context=_READER.extract(given),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": "POST",
                "http.route": "/predict",
                "http.response.status_code": reply.status,
                "trimtab.model": self._model,
                "trimtab.version": reply.version,
                "trimtab.request_id": reply.request_id,
                "trimtab.rows": reply.rows,
            },
            start_time=end - arrival.microseconds * 1000,
        )
        if reply.status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end(end)
        context = span.get_span_context()
        return b"00-%032x-%016x-%02x" % (context.trace_id, context.span_id, context.trace_flags)

    def close(self) -> None:
        """Export what is left, or give it up."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
