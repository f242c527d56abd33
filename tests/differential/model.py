"""A signal with receivers and senders of its own, which notes down what happens to it, in labels.

Two worlds that live the same life (machine.py) have the same notes, if their signals do the same. What is done to a
signal from inside a receiver is here; what is done from outside, machine.py says.
"""

import asyncio
import functools
import traceback
import weakref


class Stop(BaseException):
    """What send_robust does not catch."""


class Listener:
    def __init__(self, world, label, action):
        self.world, self.label, self.action = world, label, action
        self.__qualname__ = f"object {label}"  # COMPATIBILITY 2: Django cannot log a failure without one

    def __call__(self, **named):
        return self.world.called(self, named)

    def hear(self, **named):
        return self.world.called(self, named)

    async def hear_later(self, **named):
        await asyncio.sleep(0)
        return self.world.called(self, named)


class Like(Listener):
    """Equal to its kind, and not hashable."""

    def __eq__(self, other):
        return isinstance(other, Like)

    __hash__ = None


class Cyclic(Listener):
    """What only the collector frees. That is to come by between what happens in one world and in the other."""

    def __init__(self, *args):
        super().__init__(*args)
        self.cycle = self


class Owner:
    def method(self):
        pass


class Slotted:
    __slots__ = ()


def make_function(world, label, action):
    listener = Listener(world, label, action)

    def function(**named):
        return listener(**named)

    function.label, function.listener = label, listener
    return function


def make_async_function(world, label, action):
    listener = Listener(world, label, action)

    async def function(**named):
        return listener(**named)

    function.label, function.listener = label, listener
    return function


def make_partial(world, label, action):
    partial = functools.partial(Listener(world, label, action), **{"from partial": 1})
    partial.__qualname__ = f"partial {label}"
    return partial


RECEIVERS = {
    "function": make_function,
    "method": Listener,
    "method of an equal": Like,
    "object": Listener,
    "equal object": Like,
    "object in a cycle": Cyclic,
    "method in a cycle": Cyclic,
    "partial": make_partial,
}
ASYNC_RECEIVERS = {"async function": make_async_function, "async method": Listener, "async method of an equal": Like}

SENDERS = {
    "none": lambda: None,
    "class": lambda: type("Sender", (), {}),
    "instance": Owner,
    "equal": lambda: Like(None, "sender", None),
    "cyclic": lambda: Cyclic(None, "sender", None),
    "unhashable": lambda: type("Unhashable", (list,), {})(),
    # Django refers weakly to the bound method itself: it must not be a passing one.
    "method": lambda: Owner().method,
    "string": lambda: "".join(["sen", "der"]),
    "object": object,
    "slotted": Slotted,
}
HAVE_NO_WEAK_REFERENCES = {"none", "string", "object", "slotted"}

ACTIONS = [
    "return",
    "return",
    "return",
    "raise",
    "stop",
    "connect",
    "connect strongly",
    "disconnect",
    "kill",
    "send",
    "send robustly",
    "ask",
    "clear",
    "restore",
]

MANY_NOTES = 100  # by which nested sends shall end


def label_of(receiver):
    receiver = getattr(receiver, "func", getattr(receiver, "__self__", receiver))
    return receiver.label


def listener_of(receiver):
    """Return what takes notes for a receiver."""
    receiver = getattr(receiver, "func", getattr(receiver, "__self__", receiver))
    return getattr(receiver, "listener", receiver)


class World:
    """One signal, with receivers and senders that are its own."""

    def __init__(self, signal):
        self.signal = signal
        self.receivers, self.senders = {}, {}
        self.saved = []
        self.notes = []
        self.depth = 0
        self.unheard = None  # the listener that is as if muted
        self.has_list = True  # whether `receivers` is one, to which can be connected
        self.has_async = False  # whether there was an async receiver

    def logged(self, record):
        self.notes.append((record.name, record.levelname, record.msg, *map(str, record.args)))
        return False  # nobody else needs to hear of it

    def set_list(self, entries):
        self.signal.receivers = entries
        self.look()

    def look(self):
        # A strong receiver that was taken off the list by hand, csignals lets go of when it looks next.
        self.signal.has_listeners(None)

    def add_receiver(self, label, kind, action):
        self.has_async |= kind in ASYNC_RECEIVERS
        self.receivers[label] = kind, (RECEIVERS | ASYNC_RECEIVERS)[kind](self, label, action)

    def add_sender(self, label, kind):
        self.senders[label] = kind, SENDERS[kind]()

    def receiver(self, label):
        kind, receiver = self.receivers[label]
        if kind.startswith("async method"):
            return receiver.hear_later
        return receiver.hear if kind.startswith("method") else receiver

    def sender(self, label):
        return self.senders[label][1]

    def sender_label(self, sender):
        return [label for label, (_, mine) in self.senders.items() if mine is sender]

    def called(self, listener, named):
        if listener is self.unheard:
            return None
        signal, sender = named.pop("signal"), named.pop("sender")
        call = listener.label, signal is self.signal, self.sender_label(sender), [*named.items()]
        self.notes.append(("called", *call))
        action, other = listener.action
        if action == "raise":
            raise ValueError(listener.label)
        if action == "stop":
            raise Stop(listener.label)
        can_connect = self.has_list and other in self.receivers
        if action in ("connect", "connect strongly") and can_connect:
            signal.connect(self.receiver(other), weak=action == "connect")
        if action == "disconnect" and can_connect:
            self.notes.append(("disconnects", signal.disconnect(self.receiver(other))))
        if action == "kill":
            self.receivers.pop(other, None)
        if action in ("send", "send robustly") and self.depth < 2 and len(self.notes) < MANY_NOTES:
            return self.send_nested(signal.send if action == "send" else signal.send_robust, sender)
        if action == "ask":
            return self.has_listeners(sender)
        if action == "clear":
            self.save()
        if action == "restore":
            self.restore()
        return listener.label

    def has_listeners(self, sender):
        """Return what the signal says, or would if the listener that is as if muted were not connected."""
        if self.unheard is None:
            return self.signal.has_listeners(sender)
        live = self.signal._live_receivers(sender)
        sync_and_async = live if isinstance(live, tuple) else (live,)  # in Django 4.2 it is one list
        return any(listener_of(receiver) is not self.unheard for each in sync_and_async for receiver in each)

    def send_nested(self, send, sender):
        self.depth += 1
        self.notes.append(("sends", self.depth))
        try:
            return self.outcome(send, sender, depth=self.depth)
        finally:
            self.depth -= 1

    def save(self):
        self.saved = self.signal.receivers
        self.set_list([])

    def restore(self):
        # Not what died meanwhile: by then its id may be another's.
        self.set_list([entry for entry in self.saved if is_alive(entry)])

    def outcome(self, call, *args, **named):
        try:
            return self.described(call(*args, **named))
        except BaseException as error:  # groups of Stop are among them
            if isinstance(error, KeyboardInterrupt):
                raise
            return describe(error)

    async def outcome_later(self, call, *args, **named):
        try:
            return self.described(await call(*args, **named))
        except BaseException as error:  # groups of Stop are among them
            if isinstance(error, KeyboardInterrupt):
                raise
            return describe(error)

    def described(self, result):
        if not isinstance(result, list):
            return result
        return [
            (label_of(receiver), describe(response))
            for receiver, response in result
            if self.unheard is None or listener_of(receiver) is not self.unheard
        ]

    def entries(self):
        return [entry for entry in self.signal.receivers if is_alive(entry)]


def describe(response):
    if not isinstance(response, BaseException):
        return response
    # Its frames refer to it in turn, and to receivers, which would live on until the collector comes by.
    traceback.clear_frames(response.__traceback__)
    response.__traceback__ = response.__context__ = response.__cause__ = None
    inner = [describe(each) for each in getattr(response, "exceptions", ())]
    return type(response), str(response), inner


def is_alive(entry):
    references = [part for part in entry[1:3] if isinstance(part, weakref.ReferenceType)]
    return all(reference() is not None for reference in references)
