"""Development mode: a warning for each weak receiver that dies before it was ever called.

Weak receivers are watched in Python's development mode and under Django's DEBUG. While any is watched, each send asks
(_interception.py) whether it could reach one, and those that it calls are watched no longer. ``_live_receivers`` asks
as well, for code that calls what it returns. Sends that csignals does not dispatch are not seen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import CodeType, FrameType, FunctionType, MethodType
from weakref import ReferenceType, ref

from csignals import _scopes
from csignals._dispatch.common import NONE_ID, Entry, Receiver
from csignals._introspection.attributes import Memo
from csignals._introspection.naming import Description, describe, describe_sender
from csignals._scopes import identities, identity, receiver_identity, stop_if_idle, watched
from csignals._typing import Any

#: Where a receiver was connected: the code, the index of its instruction, and the name of its module.
Place = tuple[CodeType, int, str]

#: Of a function: the number of partials around it, its module, its qualified name, and the code that was written.
Notes = tuple[int, Any, str, CodeType]

#: The largest number of decorators or partials that are followed: they may form a circle.
MAX_STEPS = 100

IS_DEV_MODE = sys.flags.dev_mode
modules = sys.modules
attribute_of = object.__getattribute__
conf: Any = None  # Django's module with its settings, once it is loaded

#: Django's modules between ``connect`` and the line that a user wrote. If the last of them is the registry, the
#: receiver was connected to a model by its name, and Django made that model in between.
REGISTRY = "django.apps.registry"
DJANGO = frozenset(("django.dispatch.dispatcher", "django.db.models.signals"))

#: What was shown of code whose module is not loaded, as modules note it for themselves in __warningregistry__.
_registry: dict[Any, Any] = {}


class WeakReceiverWarning(RuntimeWarning):
    """A receiver that was connected weakly was collected before it was ever called, as nothing else held it.

    Given in Python's development mode, and where Django's settings say DEBUG, at the line that connected it.
    """


def is_debugging() -> bool:
    """Return whether Python is in development mode, or Django's settings say DEBUG."""
    global conf
    if IS_DEV_MODE:
        return True
    if conf is None:
        # Only until it is loaded: without the GIL this takes a lock, and if daemon threads hold the lock where the
        # process ends, Python waits for it forever.
        conf = modules.get("django.conf")
    settings = getattr(conf, "settings", None)
    if settings is None:
        return False
    # For speed: `settings.DEBUG` runs Django's Python code, but the settings keep its result in their __dict__.
    known = attribute_of(settings, "__dict__")
    if "_wrapped" in known and ("DEBUG" in known or type(known["_wrapped"]) is object):
        return bool(known.get("DEBUG"))
    return bool(settings.configured and settings.DEBUG)


# --- The place that connected a receiver ---------------------------------------------------------------------


def calling_place() -> Place | None:
    """Return the place that called ``connect``: the first frame, from the caller outwards, not in csignals or Django.

    Returns None where Django itself connects, as its test client does on each request: Django lets go on purpose. The
    place has no line number yet, as finding it takes longer the more lines the code has.
    """
    place = sys._getframe(1)
    frame: FrameType | None = place
    name: Any = None
    passed = "csignals."
    while frame is not None:
        place = frame
        name = frame.f_globals.get("__name__")
        if type(name) is not str:
            name = "<string>"  # as `warnings` calls it
        if name == REGISTRY:
            passed = "django."
        elif name not in DJANGO and not name.startswith(passed):
            break
        frame = frame.f_back
    return None if name.startswith("django.") else (place.f_code, place.f_lasti, name)


def warn(message: str, place: Place) -> None:
    """Warn as if the code at a place had called ``warnings.warn``.

    This runs where a receiver dies, which may be anywhere, as for the ResourceWarning of a file. The caller must have
    done everything else before: filters may turn the warning into an error, and showing it runs anybody's code.
    """
    import warnings

    code, instruction, module = place
    file, line = code.co_filename, _line_of(code, instruction)
    try:
        namespace = attribute_of(modules[module], "__dict__")
        registry = namespace.setdefault("__warningregistry__", {})
    except (AttributeError, KeyError):
        registry = _registry
    try:
        warnings.warn_explicit(message, WeakReceiverWarning, file, line, module, registry)
    except WeakReceiverWarning:
        # Python prints the error, or pytest reports it, by sys.unraisablehook(): its traceback does not tell the line.
        raise WeakReceiverWarning(f"{file}:{line}: {message}") from None


def _line_of(code: CodeType, instruction: int) -> int:
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


# --- Watched receivers ---------------------------------------------------------------------------------------

_collected = Memo()  # of each signal, the receivers that died uncalled, by `NeverCalled.place`


class NeverCalled:
    """A weak receiver that was collected, and its connection with it, before any send had reached it."""

    __slots__ = ("dispatch_uid", "file", "is_async", "line", "receiver", "sender", "signal")

    def __init__(self, signal: Any, entry: Entry, watch: Watch, sender: str | None) -> None:
        uid, receiver_id = entry[0][0], watch.receiver_id
        description = description_of(watch.notes)
        #: The signal itself.
        self.signal = signal
        #: The dispatch uid that the receiver was connected under, or None.
        self.dispatch_uid = None if type(uid) is type(receiver_id) and uid == receiver_id else uid
        self.is_async = len(entry) > 2 and bool(entry[-1])
        #: The receiver's dotted name, and where it is written, if that is known.
        self.receiver = description.name
        self.file = description.file
        self.line = description.line
        #: The name of the sender that the receiver was connected to, or None.
        self.sender = sender

    @property
    def place(self) -> tuple[Any, ...]:
        """The key under which it is kept once, however often it happens."""
        return self.receiver, self.file, self.line, self.sender


class Senders(dict):  # type: ignore[type-arg]  # subscribing it takes an import
    """A signal's watched receivers: of each sender, by its id, a `Watches`."""

    __slots__ = ("signal",)

    signal: ReferenceType[Any]


class Watches(dict):  # type: ignore[type-arg]
    """The watched receivers of a signal and a sender, by their ids. It stays, if empty, while the sender lives."""

    __slots__ = "sender", "sender_name", "senders"

    senders: Senders
    sender: ReferenceType[Any] | None  # None for any sender, and for one that has no weak references
    sender_name: str | None  # where the reference does not tell


class Watch(ref):  # type: ignore[type-arg]
    """A reference to a watched receiver, or to a method's object, until the receiver is called or dies.

    Connects are frequent and deaths are not: so a watch has what a name can be made of, and nothing that holds the
    receiver. Each of its references has a callback, as Python 3.15 clears references without one, to objects that are
    collected together, only after the callbacks of the others.
    """

    __slots__ = "key", "notes", "place", "receiver_id", "watches"

    watches: Watches  # which has this watch
    key: tuple[Any, Any]  # the entry's
    receiver_id: Any
    notes: Notes | Description
    place: Place


def watch(signal: Any, entry: Entry, receiver: Any, sender: object, place: Place) -> None:
    """Watch a receiver that was just connected weakly, by this entry and at this place."""
    # For speed: this is most of what development mode adds to a connect, so the common cases stand here inline.
    kind, target = type(receiver), receiver
    receiver_id: Any = id(receiver)
    if kind is MethodType:
        target = receiver.__self__
        receiver_id = id(target), id(receiver.__func__)
    elif hasattr(receiver, "__func__") and hasattr(receiver, "__self__"):  # it passes for a method
        target = receiver.__self__
        receiver_id = receiver_identity(receiver)
    each = Watch(target, note_death)
    each.receiver_id = receiver_id
    if kind is FunctionType and not hasattr(receiver, "__wrapped__"):
        each.notes = 0, receiver.__module__, receiver.__qualname__, receiver.__code__
    else:
        each.notes = notes_of(receiver)
    each.place = place
    each.key = key = entry[0]
    senders = watched.known.get(id(signal))
    if senders is None:
        senders = Senders()
        senders.signal = ref(signal, lambda _: None)
        senders = watched.keep(signal, senders)
    watches = senders.get(key[1])
    if watches is None:
        watches = _new_watches(senders, key[1], sender)
    each.watches = watches
    watches[id(each)] = each
    if not _scopes.is_enabled:
        _scopes.update_interception()


def _new_watches(senders: Senders, sender_id: Any, sender: Any) -> Any:
    watches = Watches()
    watches.senders = senders
    watches.sender = watches.sender_name = None
    if sender is not None:
        is_method = type(sender) is MethodType
        try:
            watches.sender = ref(sender.__self__ if is_method else sender, lambda _: forget(senders, sender_id))
        except TypeError:
            watches.sender = None
        if is_method or watches.sender is None:
            watches.sender_name = describe_sender(sender)
    return senders.setdefault(sender_id, watches)


def notes_of(receiver: Receiver) -> Notes | Description:
    """Return what describes a receiver after its death: its description only where that cannot be made later."""
    target: Any = receiver
    partials = 0
    while True:
        kind = type(target)
        if kind is partial and partials < MAX_STEPS:
            partials += 1
            target = target.func
        elif kind is MethodType:
            target = target.__func__
        elif kind is not FunctionType or (written := _written(target)) is None:
            return describe(receiver)
        else:
            return partials, target.__module__, target.__qualname__, written


def _written(function: FunctionType) -> CodeType | None:
    """Return the code below a function's decorators, if these are functions as well."""
    steps = 0
    while hasattr(function, "__wrapped__") and steps < MAX_STEPS:
        steps += 1
        function = function.__wrapped__  # pyright: ignore[reportFunctionMemberAccess]
        if type(function) is not FunctionType:
            return None
    return function.__code__ if steps < MAX_STEPS else None


def description_of(notes: Notes | Description) -> Description:
    """Return what describe() returned, or would have returned, for a receiver."""
    if isinstance(notes, Description):
        return notes
    partials, module, name, code = notes
    if type(module) is str and module != "builtins":
        name = f"{module}.{name}"
    name = "functools.partial(" * partials + name + ")" * partials
    is_known = type(code) is CodeType  # PyPy has functions of C that have another type
    return Description(name, code.co_filename if is_known else None, code.co_firstlineno if is_known else None)


def note_death(watch: Watch, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
    """Record that a receiver died, unless it was called or disconnected, or its signal or sender dies as well.

    Runs at any time, so it takes no lock. What may fail, or run anybody's code, comes last.
    """
    if is_finalizing():  # modules are being emptied
        return
    watches = watch.watches
    signal = watches.senders.signal()
    sender = None if watches.sender is None else watches.sender()
    if not unwatch(watch) or signal is None:
        return
    stop_if_idle()
    entry = entry_of(signal, watch.key)
    if entry is None or (sender is None and watches.sender is not None):
        return
    death = NeverCalled(signal, entry, watch, watches.sender_name or describe_sender(sender))
    deaths = _collected.get(signal)
    if deaths is None:
        _collected.keep(signal, deaths := {})
    deaths[death.place] = death
    for trace in _scopes.traces.opened:
        if not any(other.signal is signal and other.place == death.place for other in trace.never_called):
            trace.never_called.append(death)
    if _scopes.is_dispatched(signal):  # else csignals does not see its sends
        warn(warning_of(death, is_method=type(watch.receiver_id) is tuple), watch.place)


def warning_of(death: NeverCalled, is_method: bool) -> str:
    written = "" if death.file is None else f" ({death.file}:{death.line})"
    held = "its object" if is_method else "it"
    return (
        f"The receiver {death.receiver}{written} was collected before it was ever called: nothing held {held} but the "
        f"signal, which holds it weakly. Keep a reference to {held}, or connect it with weak=False."
    )


def entry_of(signal: Any, key: Any) -> Entry | None:
    """Return the entry of a signal's list that has this very key."""
    receivers = signal.receivers
    for entry in receivers[:] if isinstance(receivers, list) else ():
        if type(entry) is tuple and entry[0] is key:
            return entry
    return None


def forget(senders: Senders, sender_id: Any) -> None:
    """Stop watching the receivers of a sender that died. Runs at any time, so it takes no lock."""
    watches = senders.pop(sender_id, None)
    if watches:
        watches.clear()  # as they refer to it
        stop_if_idle()


def unwatch(watch: Watch) -> bool:
    """Stop watching a receiver. Returns False if it was not watched any more, or another thread came first."""
    return watch.watches.pop(id(watch), None) is not None


def note_disconnected(signal: Any, key: tuple[Any, Any]) -> None:
    """Stop watching the receiver that was disconnected under a key.

    Interception stays enabled even if nothing else is watched: to disable it takes longer, and more connects follow.
    """
    senders = watched.known.get(id(signal))
    watches = None if senders is None else senders.get(key[1])
    if watches:
        for number, each in watches.copy().items():
            if each.key == key:
                watches.pop(number, None)


def is_watched(signal: Any, sender: object) -> bool:
    """Return whether a send could reach a watched receiver."""
    senders = watched.known.get(id(signal))
    return senders is not None and bool(senders.get(NONE_ID) or senders.get(identity(sender)))


def note_called(signal: Any, sender: object, receivers: Iterable[Receiver]) -> None:
    """Stop watching the receivers that a send is about to call."""
    senders = watched.get(signal) or {}
    found_under = [senders.get(sender_id, {}).copy() for sender_id in (NONE_ID, identity(sender))]
    candidates = [each for watches in found_under for each in watches.values()]
    if candidates:
        known_as = [identities(receiver) for receiver in receivers]
        called = {number for numbers in known_as for number in numbers}
        found = [each for each in candidates if each.receiver_id in called]
        # A custom `_live_receivers()` may substitute any receiver.
        if len(found) < len(candidates) and not _are_connected(signal, known_as):
            found = candidates
        for each in found:
            unwatch(each)
    stop_if_idle()


def _are_connected(signal: Any, known_as: list[list[Any]]) -> bool:
    """Return whether each receiver, given by its identities, is connected, or wraps one that is."""
    connected = set()
    for entry in signal.receivers[:] if isinstance(signal.receivers, list) else ():
        if type(entry) is tuple and len(entry) > 1:
            receiver = entry[1]() if isinstance(entry[1], ReferenceType) else entry[1]
            connected.add(receiver_identity(receiver))
    return all(not connected.isdisjoint(numbers) for numbers in known_as)


def never_called(signal: Any) -> list[NeverCalled]:
    """Return the weak receivers of a signal that were collected uncalled: one for each place and sender."""
    return list((_collected.get(signal) or {}).values())
