"""The scopes in which machine.py may send, and checks of what each of them promises."""

import contextlib

# Scopes that change nothing, and scopes in which no receiver is called.
HARMLESS = ["trace", "process trace", "bounded trace", "capture", "capture others", "mute others"]
SILENCING = ["mute", "mute the sender", "capture instead"]
SCOPES = [None] * 12 + HARMLESS + SILENCING


class Tools:
    """Mutes, captures and traces the sends of csignals' model."""

    def __init__(self, package, testing):
        self.package, self.testing = package, testing
        self.other = package.Signal()

    @contextlib.contextmanager
    def opened(self, how, model, sender):
        """Open a scope for a send, and check what it promises."""
        before = len(model.notes)
        if how in ("trace", "process trace"):
            with self.package.trace("process" if how == "process trace" else "context") as trace:
                yield
            check_calls(len(trace.records), model, before)
            assert all(call.end_ns and call.send.signal is model.signal for call in trace.records)
        elif how == "bounded trace":
            with self.package.trace(max_records=2) as trace:
                yield
            check_calls(len(trace.records) + trace.folded, model, before)
        elif how == "capture":
            with self.testing.capture(model.signal) as captured:
                yield
            assert captured[0].sender is sender
            assert (captured[0].responses is None) is (captured[0].exception is not None)
            nested = [note for note in model.notes[before:] if note[0] == "sends"]
            assert len(captured) == 1 + len(nested)
        elif how == "capture others":
            with self.testing.capture(self.other, scope="process") as captured:
                yield
            assert captured == []
        elif how == "mute others":
            with self.package.mute(self.other), self.package.mute(senders=[self]), self.package.mute(receivers=[print]):
                yield
        elif how == "mute":
            with self.package.mute(model.signal):
                assert not model.signal.has_listeners(sender)
                yield
        elif how == "mute the sender":
            with self.package.mute(senders=[sender]):
                yield
        elif how == "capture instead":
            with self.testing.capture(model.signal, deliver=False) as captured:
                yield
            assert [(send.sender is sender, send.responses) for send in captured] == [(True, [])]
        else:
            yield


def check_calls(recorded, model, before):
    """Check that each call was recorded. A call that is cancelled may have no note."""
    called = len([note for note in model.notes[before:] if note[0] == "called"])
    assert recorded == called or (recorded > called and model.has_async)
