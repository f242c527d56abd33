"""Annotations at run time: ``typing.get_type_hints``, and packages that check types or convert data."""

import dataclasses
import datetime
import json
import typing
from pathlib import Path

import pytest

from tests.helpers.implementations import compiled, in_place, load
from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.slow  # new interpreters


#: Methods that are C in the compiled implementation. C methods have no annotations.
OF_C = {
    "csignals.Signal._live_receivers",
    "csignals.Signal.has_listeners",
    "csignals.Signal.send",
    "csignals.Signal.send_robust",
    "csignals.tracing.Call.end",
    "csignals.tracing.SendRecord.close",
    "csignals.tracing.Trace.note",
}


def run(implementation, *arguments):
    folder = Path(load(implementation).__file__).parent.parent
    return run_python(*arguments, implementation=implementation, variables={"PYTHONPATH": str(folder)}, timeout=120)


def all_hints(implementation):
    done = run(implementation, Path(__file__).with_name("annotations.py"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_public_annotations_resolve(implementation):
    found = all_hints(implementation)
    assert {name: hints for name, hints in found.items() if isinstance(hints, str)} == {}
    assert {
        "csignals.Signal.connect",
        "csignals.mute.__call__",
        "csignals.trace",
        "csignals.ReceiverInfo",
        "csignals.testing.capture.__enter__",
        "csignals.testing.connected.__init__",
        "csignals.deferred.on_commit",
        "csignals.django.install",
        "csignals.tracing.otel.export",
        "csignals.tracing.Trace.to_json",
        "csignals.tracing.Call.duration_ns (property)",
    } <= found.keys()
    assert found["csignals.ReceiverInfo"]["dispatch_uid"] == "typing.Any"


@compiled
def test_both_implementations_have_equal_annotations():
    in_python, in_c = all_hints("python"), all_hints("cython")
    in_c = json.loads(
        json.dumps(in_c).replace("csignals._dispatch.compiled.CallBase", "csignals._dispatch.pure_records.CallBase")
    )
    shared = in_python.keys() & in_c.keys()
    assert {name: in_python[name] for name in shared} == {name: in_c[name] for name in shared}
    assert in_python.keys() - in_c.keys() >= OF_C
    assert in_c.keys() <= in_python.keys()


def test_subclasses_have_their_own_annotations(csignals):
    class Counting(csignals.Signal):
        count: int
        last: "csignals.tracing.SendRecord | None"  # pyright: ignore[reportInvalidTypeForm]

        def send(self, sender: object, **named: typing.Any) -> list[tuple[typing.Callable, int]]:
            return super().send(sender, **named)

    hints = typing.get_type_hints(Counting, localns={"csignals": csignals})
    assert hints.pop("last") == csignals.tracing.SendRecord | None
    assert hints == {"count": int, "receivers": list[tuple[object, ...]]}
    assert typing.get_type_hints(Counting.send)["sender"] is object
    assert typing.get_type_hints(Counting.connect)["weak"] is bool


def test_the_import_loads_no_typing(implementation):
    code = """
import csignals, sys
print([name for name in ("typing", "inspect", "dataclasses") if name in sys.modules])
"""
    done = run(implementation, "-S", "-c", code)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


# --- Packages that check types -------------------------------------------------------------------------------

CHECKED = """
import asyncio, io
{hook}
import csignals, csignals.testing, csignals.tracing

class Counting(csignals.Signal):
    count: int

def receive(**named): return 1
async def receive_async(**named): return 2

for signal in csignals.Signal(), Counting(use_caching=True, name="counting"):
    with csignals.testing.capture() as sends, csignals.trace() as trace:
        csignals.receiver([signal], sender=int, dispatch_uid="uid")(receive)
        signal.connect(csignals.nonblocking(receive))
        signal.connect(receive_async, weak=False)
        assert len(signal.send(int, x=1)) == len(signal.send_robust(int)) == 3
        assert len(asyncio.run(signal.asend(int))) == len(asyncio.run(signal.asend_robust(int))) == 3
        with csignals.testing.connected(signal, lambda **named: 3, sender=str):
            assert len(signal.send(str)) == 3
        with csignals.mute(signal, receivers=[receive]):
            assert len(signal.send(int)) == 1 and signal.has_listeners()
    sends.assert_sent(signal, sender=int, x=1, times=1)
    assert len(trace.records) == 16 and trace.summary().signals[0].mean_ns > 0
    assert str(trace) and repr(signal) and str(csignals.list_receivers(signal)[0])
    trace.to_json(io.StringIO()), trace.to_chrome(io.StringIO())
    assert signal.disconnect(dispatch_uid="uid", sender=int)
print("no error")
"""
HOOKS = {
    # As in PEP 484, an int is accepted for a float.
    "beartype": "import beartype.claw as claw; claw.beartype_package("
    "'csignals', conf=__import__('beartype').BeartypeConf(is_pep484_tower=True))",
    "typeguard": "import typeguard; typeguard.install_import_hook('csignals')",
}


@pytest.mark.parametrize("package", HOOKS)
def test_calls_and_results_match_annotations(implementation, package):
    pytest.importorskip(package, reason=f"{package} is not installed")
    done = run(implementation, "-c", CHECKED.format(hook=HOOKS[package]))
    assert done.stdout.strip() == "no error", done.stderr


# --- Packages that convert data ------------------------------------------------------------------------------


def receive(**named):
    pass


@pytest.fixture
def examples(csignals, implementation):
    """An instance of each public dataclass, with the modules of the implementation in ``sys.modules``."""
    listing, deferred = load(implementation, "csignals.listing"), load(implementation, "csignals.deferred")
    signal = csignals.Signal()
    signal.connect(receive, sender=int, dispatch_uid="uid")
    with csignals.trace() as trace:
        signal.send(int)
    summary = trace.summary()
    with in_place(implementation):
        task = deferred.TaskInfo("1", "failed", "shop:index", since=datetime.datetime(2026, 1, 2))
        yield [*listing.list_receivers(signal), deferred.Options(delay=1.5), task, *summary.receivers, *summary.signals]


def test_every_public_dataclass_has_an_example(implementation, examples):
    named = {type(each).__name__ for each in examples}
    modules = "listing", "deferred", "deferred.configuration", "testing", "tracing", "tracing.otel"
    found = {
        name
        for module in modules
        for name, value in vars(load(implementation, f"csignals.{module}")).items()
        if dataclasses.is_dataclass(value) and not name.startswith("_")
    }
    assert found - {"Configuration"} <= named  # users do not see Configuration, which has a task backend
    assert {"ReceiverInfo", "Options", "ReceiverRow", "SignalRow", "TaskInfo"} <= named


def test_pydantic_reads_and_writes_the_dataclasses(examples):
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed, or does not support this Python")
    for example in examples:
        adapter = pydantic.TypeAdapter(type(example))
        assert adapter.validate_python(adapter.dump_python(example)) == example
        assert adapter.json_schema()["title"] == type(example).__name__
        with pytest.raises(pydantic.ValidationError):
            adapter.validate_python({**dataclasses.asdict(example), "line": "x", "queue": 1, "calls": "y"})


def test_cattrs_reads_and_writes_the_dataclasses(examples):
    cattrs = pytest.importorskip("cattrs.preconf.json", reason="cattrs is not installed")
    converter = cattrs.make_converter()
    for example in examples:
        data = converter.unstructure(example)
        assert converter.structure(data, type(example)) == example


def test_typeguard_checks_the_fields_of_dataclasses(examples):
    typeguard = pytest.importorskip("typeguard", reason="typeguard is not installed")
    for example in examples:
        for name, hint in typing.get_type_hints(type(example)).items():
            assert typeguard.check_type(getattr(example, name), hint) == getattr(example, name)


def test_beartype_checks_the_fields_of_dataclasses(examples):
    door = pytest.importorskip("beartype.door", reason="beartype is not installed")
    for example in examples:
        for name, hint in typing.get_type_hints(type(example)).items():
            assert door.is_bearable(getattr(example, name), hint)
            assert door.is_bearable(object(), hint) == (hint is typing.Any)
