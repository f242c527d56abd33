"""What may be in force around a send, and what it promises: for the lives in machine.py."""

import contextlib

# Those that change nothing, and those by which nobody is reached.
HARMLESS = ["trace", "process trace", "bounded trace", "capture", "capture others", "mute others"]
SILENCING = ["mute", "mute the sender", "capture instead"]
AROUND = [None] * 12 + HARMLESS + SILENCING


class Tools:
    """What mutes, captures and traces the sends of a world, if it is csignals'."""

    def __init__(self, package, testing):
        self.package, self.testing = package, testing
        self.other = package.Signal()

    @contextlib.contextmanager
    def around(self, how, world, sender):
        """Have something be in force for what is sent, and see that it keeps its promise."""
        before = len(world.notes)
        if how in ("trace", "process trace"):
            with self.package.trace("process" if how == "process trace" else "context") as trace:
                yield
            check_calls(len(trace.records), world, before)
            assert all(call.end_ns and call.send.signal is world.signal for call in trace.records)
        elif how == "bounded trace":
            with self.package.trace(max_records=2) as trace:
                yield
            check_calls(len(trace.records) + trace.folded, world, before)
        elif how == "capture":
            with self.testing.capture(world.signal) as sends:
                yield
            assert sends[0].sender is sender
            assert (sends[0].responses is None) is (sends[0].exception is not None)
            nested = [note for note in world.notes[before:] if note[0] == "sends"]
            assert len(sends) == 1 + len(nested)
        elif how == "capture others":
            with self.testing.capture(self.other, scope="process") as sends:
                yield
            assert sends == []
        elif how == "mute others":
            with self.package.mute(self.other), self.package.mute(senders=[self]), self.package.mute(receivers=[print]):
                yield
        elif how == "mute":
            with self.package.mute(world.signal):
                assert not world.signal.has_listeners(sender)
                yield
        elif how == "mute the sender":
            with self.package.mute(senders=[sender]):
                yield
        elif how == "capture instead":
            with self.testing.capture(world.signal, deliver=False) as sends:
                yield
            assert [(send.sender is sender, send.responses) for send in sends] == [(True, [])]
        else:
            yield


def check_calls(recorded, world, before):
    """Check that so many calls were recorded as there were. One that is cancelled may not come to take its note."""
    called = len([note for note in world.notes[before:] if note[0] == "called"])
    assert recorded == called or (recorded > called and world.has_async)
