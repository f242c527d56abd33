"""A model: a signal with receivers and senders of its own, and notes of what happens, in which labels stand for these.

If two signals behave the same, their models have the same notes after the same run. The actions here are what receivers
do to their signal; machine.py has what is done to it from outside.
"""

import asyncio
import functools
import traceback
import weakref


class Stop(BaseException):
    """An exception that send_robust() does not catch."""


class Listener:
    def __init__(self, model, label, action):
        self.model, self.label, self.action = model, label, action
        self.__qualname__ = f"object {label}"  # COMPATIBILITY 2: Django cannot log a failure without one

    def __call__(self, **named):
        return self.model.called(self, named)

    def hear(self, **named):
        return self.model.called(self, named)

    async def hear_later(self, **named):
        await asyncio.sleep(0)
        return self.model.called(self, named)


class Like(Listener):
    """A listener that equals any other of its class, and is not hashable."""

    def __eq__(self, other):
        return isinstance(other, Like)

    __hash__ = None


class Cyclic(Listener):
    """A listener that only the collector frees. The machine collects for both models at the same time."""

    def __init__(self, *args):
        super().__init__(*args)
        self.cycle = self


class Owner:
    def method(self):
        pass


class Slotted:
    __slots__ = ()


def make_function(model, label, action):
    listener = Listener(model, label, action)

    def function(**named):
        return listener(**named)

    function.label, function.listener = label, listener
    return function


def make_async_function(model, label, action):
    listener = Listener(model, label, action)

    async def function(**named):
        return listener(**named)

    function.label, function.listener = label, listener
    return function


def make_partial(model, label, action):
    partial = functools.partial(Listener(model, label, action), **{"from partial": 1})
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
    # Django has a weak reference to the bound method itself, which must live as long as the sender.
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

MAX_NOTES = 100  # with more, receivers send no more


def label_of(receiver):
    receiver = getattr(receiver, "func", getattr(receiver, "__self__", receiver))
    return receiver.label


def listener_of(receiver):
    """Return the listener that takes notes for a receiver."""
    receiver = getattr(receiver, "func", getattr(receiver, "__self__", receiver))
    return getattr(receiver, "listener", receiver)


class Model:
    """One signal, with receivers and senders of its own."""

    def __init__(self, signal):
        self.signal = signal
        self.receivers, self.senders = {}, {}
        self.saved = []
        self.notes = []
        self.depth = 0
        self.muted = None  # the listener whose calls and responses are left out, as if it were muted
        self.has_list = True  # whether connect() can append to `receivers`
        self.has_async = False  # whether there was an async receiver

    def logged(self, record):
        self.notes.append((record.name, record.levelname, record.msg, *map(str, record.args)))
        return False  # no other handler needs the record

    def set_list(self, entries):
        self.signal.receivers = entries
        self.refresh()

    def refresh(self):
        # csignals frees a strong receiver that was removed directly when it next reads the list.
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
        if listener is self.muted:
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
        if action in ("send", "send robustly") and self.depth < 2 and len(self.notes) < MAX_NOTES:
            return self.send_nested(signal.send if action == "send" else signal.send_robust, sender)
        if action == "ask":
            return self.has_listeners(sender)
        if action == "clear":
            self.save()
        if action == "restore":
            self.restore()
        return listener.label

    def has_listeners(self, sender):
        """Return whether the signal has listeners other than the muted one."""
        if self.muted is None:
            return self.signal.has_listeners(sender)
        live = self.signal._live_receivers(sender)
        sync_and_async = live if isinstance(live, tuple) else (live,)  # in Django 4.2 it is one list
        return any(listener_of(receiver) is not self.muted for each in sync_and_async for receiver in each)

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
        # Without dead entries: their ids may belong to new objects by now.
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
            if self.muted is None or listener_of(receiver) is not self.muted
        ]

    def entries(self):
        return [entry for entry in self.signal.receivers if is_alive(entry)]


def describe(response):
    if not isinstance(response, BaseException):
        return response
    # The frames refer to the exception and to receivers, which would live until the next collection.
    traceback.clear_frames(response.__traceback__)
    response.__traceback__ = response.__context__ = response.__cause__ = None
    inner = [describe(each) for each in getattr(response, "exceptions", ())]
    return type(response), str(response), inner


def is_alive(entry):
    references = [part for part in entry[1:3] if isinstance(part, weakref.ReferenceType)]
    return all(reference() is not None for reference in references)
