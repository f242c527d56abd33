"""Traces as OpenTelemetry spans: ``pip install "csignals[otel]"``. No other module of csignals imports this one."""

from __future__ import annotations

from csignals._version import __version__
from csignals.tracing import Trace
from csignals.tracing.snapshot import CallRead, Snapshot

try:
    from opentelemetry import trace as otel
    from opentelemetry.context import Context, get_current
    from opentelemetry.trace import Tracer
except ModuleNotFoundError as error:
    raise ImportError('csignals.tracing.otel needs OpenTelemetry\'s API: pip install "csignals[otel]"') from error

__all__ = ["export"]

EXCEPTION = "exception.type", "exception.message"  # the message is left out if it is empty


def export(trace: Trace, tracer: Tracer | None = None) -> int:
    """Make a span for each record of a trace, and return the number of spans.

    A span is named after the receiver. Its parent is the span of the call in which its send was nested, or else the
    current span. It has OpenTelemetry's attributes ``code.function.name``, ``code.file.path``, ``code.line.number`` and
    ``thread.id``, and ``csignals.signal``, ``csignals.sender``, ``csignals.self_ns``, ``csignals.is_async`` and
    ``csignals.is_running``. If the receiver raised an exception, the span has the status ERROR and an event for the
    exception. If the call is still running, the span ends now.

    The default `tracer` is the tracer ``csignals`` of the global provider. Each export makes new spans. A processor
    with a queue (``BatchSpanProcessor``) drops spans while its queue is full. Raises only what the tracer raises.
    """
    start_span = (tracer or otel.get_tracer("csignals", __version__)).start_span
    around = get_current()
    contexts: dict[int, Context] = {}  # for the sends nested in a call, by the call's number
    snapshot = Snapshot(trace)
    time_of_day = trace.epoch_ns - trace.opened_ns
    for call in snapshot.calls:
        parent = call.send.parent
        context = around if parent is None else contexts[parent.number]
        start, end = call.start_ns + time_of_day, call.end_ns + time_of_day
        attributes = _attributes(call)
        span = start_span(_clean(call.description.name), context, attributes=attributes, start_time=start)
        if call.exception is not None:
            text = _clean(call.exception)
            span.add_event("exception", dict(zip(EXCEPTION, text.split(": ", 1), strict=False)), timestamp=end)
            span.set_status(otel.StatusCode.ERROR, text)
        span.end(end)
        if call.nested:
            contexts[call.number] = otel.set_span_in_context(span, around)
    return len(snapshot.calls)


def _attributes(call: CallRead) -> dict[str, str | int | bool]:
    attributes = {
        "code.function.name": call.description.name,
        "code.file.path": call.description.file,
        "code.line.number": call.description.line,
        "thread.id": call.thread,
        "csignals.signal": call.send.name,
        "csignals.sender": call.send.sender,
        "csignals.self_ns": call.self_ns,
        "csignals.is_async": call.is_async,
        "csignals.is_running": call.is_running,
    }
    known = {name: value for name, value in attributes.items() if value is not None}
    return {name: _clean(value) if isinstance(value, str) else value for name, value in known.items()}


def _clean(text: str) -> str:
    """Return text without lone surrogates. Because of a single one, an exporter would drop all spans."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
