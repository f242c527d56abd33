"""Traces as spans, exported to OpenTelemetry's own SDK."""

import asyncio
import functools
import time

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tests.helpers import receivers
from tests.helpers.implementations import in_place, load
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Sender
from tests.tracing.fake_traces import make_call, make_send, make_trace

connected = functools.partial(receivers.connected, weak=False)


def one(**named):
    pass


def fail(**named):
    raise ValueError("bad: luck")


@pytest.fixture(autouse=True)
def imports(csignals, implementation):
    with in_place(implementation):
        yield


@pytest.fixture
def export(implementation):
    return load(implementation, "csignals.tracing.otel").export


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider.get_tracer("test")
    provider.shutdown()


def test_each_call_becomes_a_span(csignals, signal, export, exporter, tracer):
    connected(signal, one, fail)
    before = time.time_ns()
    with csignals.trace() as trace:
        signal.send_robust(Sender)
        signal.send_robust(None)
    after = time.time_ns()
    assert export(trace, tracer) == 4
    spans = exporter.get_finished_spans()
    for span, record in zip(spans, trace.records, strict=True):
        assert span.name == record.receiver
        assert span.parent is None
        assert before <= span.start_time <= span.end_time <= after
        assert span.start_time == trace.epoch_ns + record.start_ns - trace.opened_ns
        assert span.end_time - span.start_time == record.duration_ns
        expected = {
            "code.function.name": record.receiver,
            "code.file.path": __file__,
            "code.line.number": record.line,
            "thread.id": record.thread,
            "csignals.signal": record.signal,
            "csignals.self_ns": record.self_ns,
            "csignals.is_async": False,
            "csignals.is_running": False,
        }
        if record.sender is not None:
            expected["csignals.sender"] = record.sender
        assert dict(span.attributes) == expected
    assert [span.status.status_code for span in spans] == [StatusCode.UNSET, StatusCode.ERROR] * 2


def test_exceptions_become_status_and_event(csignals, signal, export, exporter, tracer):
    connected(signal, fail)
    with csignals.trace() as trace:
        signal.send_robust(Sender)
    export(trace, tracer)
    (span,) = exporter.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError: bad: luck")
    (event,) = span.events
    assert (event.name, event.timestamp) == ("exception", span.end_time)
    assert dict(event.attributes) == {"exception.type": "ValueError", "exception.message": "bad: luck"}


def test_nested_sends_become_child_spans(csignals, signal, export, exporter, tracer):
    inner = connected(csignals.Signal(), one)

    def receiver():
        async def send_inner(**named):
            await asyncio.sleep(0)
            inner.send(Sender)

        return send_inner

    connected(signal, receiver(), receiver(), one, lambda **named: inner.send(Sender))
    with csignals.trace() as trace:
        asyncio.run(signal.asend(Sender))
    with tracer.start_as_current_span("request") as request:
        export(trace, tracer)
    *spans, last = exporter.get_finished_spans()
    assert last.name == "request"
    by_id = {span.context.span_id: span for span in spans}
    for span, record in zip(spans, trace.records, strict=True):
        if record.send.parent is None:
            assert span.parent.span_id == request.get_span_context().span_id
        else:
            parent = by_id[span.parent.span_id]
            assert parent.start_time == trace.epoch_ns + record.send.parent.start_ns - trace.opened_ns
    assert len({span.context.trace_id for span in spans}) == 1
    assert sum(span.parent.span_id in by_id for span in spans) == 2 + 1


def test_a_missing_parent_gives_a_root_span(csignals, signal, export, exporter, tracer):
    call = make_call(make_send(signal), 100, 200)
    export(make_trace(csignals, [make_call(make_send(signal, call), 110, 190)]), tracer)
    assert exporter.get_finished_spans()[0].parent is None


def test_running_calls_are_exported_as_running(csignals, signal, export, exporter, tracer):
    def look(**named):
        time.sleep(0.001)
        export(trace, tracer)

    connected(signal, look)
    with csignals.trace() as trace:
        signal.send(Sender)
    (span,) = exporter.get_finished_spans()
    assert span.attributes["csignals.is_running"] is True
    assert span.end_time - span.start_time >= 1_000_000


def test_unsendable_values_are_escaped_or_omitted(csignals, signal, export, exporter, tracer):
    call = make_call(
        make_send(signal, sender="\udcff"), 100, 200, "\udcff", line=None, file=None, exception="Error\udcff"
    )
    export(make_trace(csignals, [call]), tracer)
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.attributes["csignals.sender"]) == ("\\udcff", "\\udcff")
    assert span.status.description == "Error\\udcff"
    assert dict(span.events[0].attributes) == {"exception.type": "Error\\udcff"}
    assert not {"code.file.path", "code.line.number"} & set(span.attributes)


def test_deep_trees_export_without_recursion(csignals, signal, export, exporter, tracer):
    parent, calls = None, []
    for depth in range(2_000):
        parent = make_call(make_send(signal, parent), 1_000 + depth, 10_000 - depth)
        calls.append(parent)
    assert export(make_trace(csignals, calls), tracer) == 2_000
    spans = exporter.get_finished_spans()
    assert [span.parent.span_id for span in spans[1:]] == [span.context.span_id for span in spans[:-1]]


def test_the_global_tracer_is_the_default(csignals, signal, export, exporter, monkeypatch):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(otel, "get_tracer_provider", lambda: provider)
    export(make_trace(csignals, [make_call(make_send(signal), 100, 200)]))
    scope = exporter.get_finished_spans()[0].instrumentation_scope
    assert (scope.name, scope.version) == ("csignals", csignals.__version__)
    provider.shutdown()


def test_export_works_without_a_provider(csignals, signal, export):
    assert export(make_trace(csignals, [make_call(make_send(signal), 100, 200)])) == 1


def test_missing_opentelemetry_names_the_extra(implementation):
    code = "import sys; sys.modules['opentelemetry'] = None; import csignals; import csignals.tracing.otel"
    done = run_python("-c", code, implementation=implementation)
    assert done.returncode == 1
    assert 'ImportError: csignals.tracing.otel needs OpenTelemetry\'s API: pip install "csignals[otel]"' in done.stderr
