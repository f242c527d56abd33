"""What csignals warns of while a program is being developed: weak receivers that nothing else holds so far.

One logic for standalone signals and Django's, with either engine. It only looks: nothing is kept, no cycle is made,
and before Python 3.14 nobody's ``f_locals`` is asked for, as that may hold what is in it until the function ends.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from types import (
    AsyncGeneratorType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
)

from csignals._names import describe
from csignals._typing import Any

IS_DEV_MODE = sys.flags.dev_mode
modules = sys.modules
attribute_of = object.__getattribute__
conf: Any = None    # Django's module that has its settings, once it is there

# As in `inspect`, which takes long to import.
CO_OPTIMIZED = 0x01
CO_NESTED = 0x10

#: What holds its local variables, and they what is in them, for no longer than a function runs.
FRAMES = FrameType, GeneratorType, CoroutineType, AsyncGeneratorType
#: What passes on arguments, and loops over them.
TUPLES = tuple, type(iter(()))

#: Between whoever connects a receiver and Django's ``connect``, there may be these.
REGISTRY = "django.apps.registry"
DJANGO = "django.dispatch.dispatcher", "django.db.models.signals", REGISTRY
PARAMETERS = "receiver", "sender", "weak", "dispatch_uid", "apps"

LIMIT = 20      # things that pass a receiver on: where there are more, they are something else


class WeakReceiverWarning(RuntimeWarning):
    """A receiver was connected weakly, and nothing else held it then: it will be collected, unless that changes.

    Given in Python's development mode, and where Django's settings say DEBUG.
    """


def is_debugging() -> bool:
    """Return whether Python is in development mode, or Django's settings say DEBUG."""
    global conf
    if IS_DEV_MODE:
        return True
    if conf is None:
        # Only until it is there: without the GIL this takes a lock, and if daemon threads have that where the
        # process ends, Python waits for it forever.
        conf = modules.get("django.conf")
    settings = getattr(conf, "settings", None)
    if settings is None:
        return False
    # Django's answer in Python code, which takes as long as to connect; but they note in here what they answered.
    noted = attribute_of(settings, "__dict__")
    if "_wrapped" in noted and ("DEBUG" in noted or type(noted["_wrapped"]) is object):
        return bool(noted.get("DEBUG"))
    return bool(settings.configured and settings.DEBUG)


def warn(receiver: Any) -> None:
    """Warn of a receiver that is a trap, at the line that connects it. To be called by ``connect`` itself."""
    import warnings

    written = describe(receiver)
    place = "" if written.file is None else f" ({written.file}:{written.line})"
    what = "the object of the receiver" if type(receiver) is MethodType else "the receiver"
    warnings.warn(
        f"Nothing else holds {what} {written.name}{place} so far: unless something keeps it, it will be collected, at "
        "once or when this function ends, and its connection with it. Connect it with weak=False, or keep a reference "
        "to it first.",
        WeakReceiverWarning,
        stacklevel=_stacklevel(sys._getframe(1)),
    )


def is_trap(receiver: Any) -> bool:
    """Return whether nothing holds a receiver, when it is connected, for longer than some function runs.

    What that function does with it next is not known. Only where it is certain, so never on PyPy, which counts no
    references. Raises nothing. To be called by ``connect`` itself, as the frames from there on are counted.
    """
    # What was frozen since is not found among those that hold it.
    if not _METHOD_ALONE or gc.get_freeze_count() > _FROZEN:
        return False
    kind = type(receiver)
    if kind is FunctionType:
        code = receiver.__code__
        if not code.co_flags & CO_NESTED and code.co_name != "<lambda>":
            return False
    elif kind is MethodType and sys.getrefcount(receiver.__self__) > _METHOD_ALONE:
        return False
    frames, caller = _frames_of_connect(sys._getframe(1))
    return _is_unheld(receiver, frames, caller)


# Where these two have the receiver, there are no generators that use it, as their cells would be found as well.
def _is_unheld(receiver: Any, frames: list[FrameType], caller: FrameType | None) -> bool:
    from functools import partial

    is_function = type(receiver) is FunctionType
    is_object = not is_function and type(receiver) is not MethodType and not issubclass(type(receiver), partial)
    if (is_function and _is_global(receiver)) or (is_object and not _is_called_in_python(type(receiver))):
        return False
    if frames[-1].f_code.co_name.endswith("decorator") and (is_object or _is_namespace(caller)):
        return False        # receiver() is about to return it to where it gets a name
    is_lazy = any(frame.f_code.co_name == "_lazy_method" for frame in frames)
    passing = _what_passes_on(receiver, partial, frames[0].f_code if is_lazy else None)
    if passing is None:
        return False
    # A variable is a trap, with functions. But whoever has an object in one needs it for as long, and so does who
    # disconnects it; and who decorates a function is about to return it to where it gets a name.
    if not is_object and not _disconnects(caller) and not (is_function and _may_be_decorator(caller, receiver)):
        return True
    if any(type(each) is CellType for each in passing):
        return False
    if not _COUNTS_VARIABLES and _is_in_variable(caller, receiver):
        return False
    if sys.version_info < (3, 11):
        return True
    # Here frames hide what they hold. Each of those between has it in one variable; where borrowing goes before, only
    # the one that a partial calls. And C copies the arguments of a partial that has keywords.
    between: int = is_lazy
    if _COUNTS_VARIABLES:
        between = sum(_is_ours(frame) and _module_of(frame) != REGISTRY for frame in frames)
    return _references(receiver) <= _PASSED_ON + between + is_lazy + _count(receiver, gc.get_referents(*passing))


def _what_passes_on(receiver: Any, partial: type, lazy_connect: CodeType | None) -> list[Any] | None:
    """Return what refers to a receiver only to pass it on to ``connect``, or None if something holds it."""
    found = [receiver]
    start = 0
    while start < len(found):
        targets = tuple(found[start:])
        start = len(found)
        for each in gc.get_referrers(*targets):
            kind = type(each)
            if kind in FRAMES or each is targets or each is found or _count(each, found):
                continue
            if not (
                kind in TUPLES
                or issubclass(kind, partial)
                or (kind is dict and _is_arguments(each))
                or (kind is CellType and _is_own_cell(each, receiver))
            ):
                return None
            # The partial that Django makes of a model signal's connect() goes with the call, whatever holds it now.
            if not issubclass(kind, partial) or lazy_connect is None or _code_of(each.func) is not lazy_connect:
                found.append(each)
        if len(found) > LIMIT:
            return None
    return found[1:]


def _is_global(function: FunctionType) -> bool:
    """Return whether a function is what its module knows by its name: as one is that a decorator made."""
    module = modules.get(str(function.__module__))
    return getattr(module, "__dict__", {}).get(function.__name__) is function


def _is_called_in_python(kind: type) -> bool:
    """Return whether the objects of a class are called by Python code, and are no classes."""
    # A metaclass is not asked what it thinks of it.
    return type(type.__getattribute__(kind, "__call__")) is FunctionType and not issubclass(kind, type)


def _count(target: object, things: Iterable[object]) -> int:
    return sum(target is each for each in things)


def _code_of(method: object) -> object:
    function = method.__func__ if type(method) is MethodType else None
    return function.__code__ if type(function) is FunctionType else None


def _is_own_cell(cell: CellType, receiver: Any) -> bool:
    """Return whether it is for a function's own use that it is in a cell; another may be returned, or kept."""
    return type(receiver) is FunctionType and _count(cell, receiver.__closure__ or ()) > 0


def _is_arguments(names: dict[Any, Any]) -> bool:
    """Return whether a dict is that of somebody's ``connect(**named)``."""
    return len(names) <= len(PARAMETERS) and all(type(name) is str and name in PARAMETERS for name in [*names])


def _disconnects(caller: FrameType | None) -> bool:
    """Return whether a function that connects something, as Django's test client, disconnects something as well."""
    return caller is not None and "disconnect" in caller.f_code.co_names


def _may_be_decorator(caller: FrameType | None, function: FunctionType) -> bool:
    """Return whether a function that connects this one may be somebody's decorator.

    That is one that was given it, and that a module or a class calls, where it may get a name.
    """
    return (
        caller is not None
        and caller.f_code.co_argcount > 0
        and _is_namespace(caller.f_back)
        and not _count(function.__code__, caller.f_code.co_consts)
    )


def _is_in_variable(frame: FrameType | None, receiver: object) -> bool:
    while frame is not None:
        if _count(receiver, _variables(frame)):
            return True
        frame = frame.f_back
    return False


def _variables(frame: FrameType) -> Iterable[object]:
    """Return what is in the variables of a function's frame."""
    if sys.version_info < (3, 11):
        return gc.get_referents(frame)
    return frame.f_locals.values() if frame.f_code.co_flags & CO_OPTIMIZED else ()


def _frames_of_connect(frame: FrameType | None) -> tuple[list[FrameType], FrameType | None]:
    """Return the frames from that of ``connect`` on, those of subclasses and of receiver() included, and the next."""
    frames = []
    while frame is not None and (_is_ours(frame) or frame.f_code.co_name == "connect"):
        frames.append(frame)
        frame = frame.f_back
    return frames, frame


def _stacklevel(frame: FrameType | None) -> int:
    """Return how far out the line is that the user wrote, from the frame of ``connect``, which is 2."""
    level = 2
    while frame is not None and _is_ours(frame):
        level += 1
        frame = frame.f_back
    return level


def _is_ours(frame: FrameType) -> bool:
    name = _module_of(frame)
    return name in DJANGO or name.partition(".")[0] == "csignals"


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _is_namespace(frame: FrameType | None) -> bool:
    """Return whether a frame is that of a module or a class, whose variables stay when it ends."""
    return frame is not None and not frame.f_code.co_flags & CO_OPTIMIZED


def _references(receiver: Any) -> int:
    return sys.getrefcount(receiver)


class _Known:
    def hear(self) -> None:
        pass


def _calibrate() -> tuple[int, int]:
    """Return the references to the object of a method that nothing else holds, and to an object that is passed on from
    function to function. 0 where they say nothing.
    """
    if sys.implementation.name != "cpython":
        return 0, 0

    def pass_on(receiver: Any) -> int:
        return pass_on_again(receiver)

    def pass_on_again(receiver: Any) -> int:
        return _references(receiver)

    known, passed_on = _Known(), pass_on(_Known())
    receiver: Any = _Known().hear
    is_known = not _COUNTS_VARIABLES or pass_on(known) > passed_on
    return sys.getrefcount(receiver.__self__), passed_on if is_known else 0


#: Whether a reference is counted for each variable. In Python 3.10, that need not be known; from 3.14 on, a function
#: borrows what is in its caller's variable, and frames show their variables without keeping them for that.
_COUNTS_VARIABLES = (3, 11) <= sys.version_info < (3, 14)

_METHOD_ALONE, _PASSED_ON = _calibrate()
_FROZEN = gc.get_freeze_count() if _METHOD_ALONE else 0     # by Python 3.12 itself, when it starts
