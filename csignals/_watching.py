"""Development mode: whether it is on, and the warning of a weak receiver that died before it was ever called.

_uncalled.py knows which receivers these are. Nothing here looks further than the frames that called ``connect``.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType

from csignals._typing import Any

#: Where a receiver was connected: the code, the index of its instruction, and the name of its module.
Place = tuple[CodeType, int, str]

IS_DEV_MODE = sys.flags.dev_mode
modules = sys.modules
attribute_of = object.__getattribute__
conf: Any = None  # Django's module that has its settings, once it is there

#: Django's modules between ``connect`` and the line that a user wrote. Where the last of them is among these, it was a
#: model yet to come that was connected to, and Django made that model in between.
REGISTRY = "django.apps.registry"
DJANGO = frozenset(("django.dispatch.dispatcher", "django.db.models.signals"))

#: Of code whose module is not loaded, or not any more: what was shown already, as modules note it for themselves.
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


def calling_place() -> Place | None:
    """Return the place that called ``connect``: the first frame, from the caller outwards, not in csignals or Django.

    Returns None where Django itself connects, as its test client does on each request: Django lets go on purpose.

    The place has no line number yet: finding it takes longer the more lines the code has.
    """
    frame: FrameType | None = sys._getframe(1)
    passed = "csignals."
    while frame is not None:
        place = frame
        name: Any = frame.f_globals.get("__name__")
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
    done all else before: filters may turn the warning into an error, and showing it runs anybody's code.
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
        # Python prints it, or pytest reports it, by sys.unraisablehook(): its traceback does not tell the line.
        raise WeakReceiverWarning(f"{file}:{line}: {message}") from None


def _line_of(code: CodeType, instruction: int) -> int:
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno
