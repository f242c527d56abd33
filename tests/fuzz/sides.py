"""Two signals, one for each implementation. Each act is done to both, and the results are compared."""

import contextlib
import contextvars
import inspect
import logging
import types
import weakref

from tests.helpers.implementations import in_place, load

from .acts import anything
from .things import Stop

IMPLEMENTATIONS = "python", "cython"  # the first is the oracle


class Side:
    """A signal of one implementation, and its open scopes."""

    def __init__(self, implementation):
        self.implementation = implementation
        self.package = load(implementation)
        self.dispatch = load(implementation, "csignals._dispatch")
        self.module = load(
            implementation, "csignals._dispatch.compiled" if implementation == "cython" else "csignals._dispatch.pure"
        )
        self.testing = load(implementation, "csignals.testing")
        self.scopes = load(implementation, "csignals._scopes")
        self.config = load(implementation, "csignals.signals")._config
        self.interceptor = load(implementation, "csignals._interception").interceptor
        with in_place(implementation), self.package.mute():  # so that lazy imports are done
            self.package.Signal().send(None)

    def begin(self):
        self.signal = self.package.Signal()
        self.log = []
        self.opened = []
        self.stack = contextlib.ExitStack()

    def end(self):
        self.stack.close()
        left = self.scopes.traces.opened, self.scopes.mutes.opened, self.scopes.captures.opened
        assert left == ((), (), ()), left

    def outcome(self, act):
        """Return the result or the exception of an act, and its log records, in a form that can be compared."""
        self.log.clear()
        try:
            result = "returned", self.shape(act(self))
        except (Exception, Stop) as error:
            if isinstance(error, SystemError):
                raise
            result = "raised", self.shape(error)
        return result, [*self.log]

    def shape(self, value):
        """Return a value in a form that is the same for both implementations."""
        if value is self.signal:
            return "the signal"
        if type(value) in (bool, int, str, type(None)):
            return value
        if type(value) in (list, tuple):
            return type(value)([self.shape(each) for each in value])
        if type(value) is dict:
            if len(value) > 100:
                return len(value), [*map(str, value)][-9:], [*map(id, value.values())][-9:]
            return {"of": [(type(name), str.__str__(name), self.shape(each)) for name, each in value.items()]}
        if isinstance(value, BaseException):
            return type(value), text_of(value)
        if isinstance(value, weakref.ref):
            return type(value), self.shape(value())
        if hasattr(type(value), "__next__"):
            return [self.shape(each) for each in value]
        if inspect.iscoroutine(value):
            value.close()
            return "coroutine"
        if type(value) is types.MethodType:
            return "method", self.shape(value.__self__), id(value.__func__)
        if type(value).__module__.startswith("csignals"):
            return type(value).__name__
        return id(value)


def await_receivers(signal, receivers, sender, named, robust, record):
    """Replace csignals' function. An event loop takes a hundred times as long as everything else."""
    return [(receiver, next_of(receiver(signal=signal, sender=sender, **named))) for receiver in receivers]


def next_of(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value


def text_of(error):
    text = str(error)
    # Cython's messages for failed unpacking differ from CPython's.
    if "unpack" in text or "object is not iterable" in text:
        return "to unpack"
    text = text.removeprefix("csignals._dispatch.pure.")
    for message in ("keywords must be strings", "argument after ** must be a mapping, not "):
        if message in text:
            return text[text.index(message) :]
    return text


class Log(logging.Handler):
    """Collects the log records of send_robust() for the side that acts."""

    def __init__(self):
        super().__init__()
        self.side = None

    def emit(self, record):
        self.side.log.append((record.levelname, record.msg, *map(str, record.args)))


class Pair:
    """Both implementations, loaded once."""

    def __init__(self):
        self.sides = [Side(implementation) for implementation in IMPLEMENTATIONS]
        self.logger = logging.getLogger("django.dispatch")
        self.log = Log()

    @contextlib.contextmanager
    def listening(self):
        propagate, self.logger.propagate = self.logger.propagate, False
        self.logger.addHandler(self.log)
        awaiting = [side.config.await_receivers for side in self.sides]
        for side in self.sides:
            side.config.await_receivers = await_receivers
        try:
            yield
        finally:
            for side, function in zip(self.sides, awaiting, strict=True):
                side.config.await_receivers = function
            self.logger.removeHandler(self.log)
            self.logger.propagate = propagate

    def compare(self, acts):
        """Do each act on both sides, and compare the outcomes."""
        contextvars.copy_context().run(self._compare, acts)

    def _compare(self, acts):
        for side in self.sides:
            side.begin()
        try:
            for act in acts:
                outcomes = []
                for side in self.sides:
                    self.log.side = side
                    outcomes.append(side.outcome(act))
                expected, found = outcomes
                if act.allows is anything or found != expected:
                    if act.allows(expected, found) or self.has_invalid_list():
                        return  # from here on, the two sides may differ
                    raise Difference(act, expected, found)
                if expected[0][0] == "raised" and self.has_one_swept():
                    return
        finally:
            for side in self.sides:
                side.end()

    def has_one_swept(self):
        """Return whether only one side has swept its list: it may do so before it compares keywords that raise."""
        flags = [getattr(side.signal, "_dead_receivers", None) for side in self.sides]
        return len({each is None or each is False for each in flags}) > 1

    def has_invalid_list(self):
        """Return whether a list of receivers is invalid. The two sides read such a list at different times.

        Sweeping a list before it is read may remove its invalid entries, if they are dead.
        """
        for side in self.sides:
            try:
                self.sides[0].module.RoutingTable(side.signal.receivers)
            except Exception:
                return True
        return False


class Difference(AssertionError):  # noqa: N818  # not an error of the fuzzer
    def __init__(self, act, expected, found):
        super().__init__(f"{act}: the Python implementation {expected!r}, the compiled implementation {found!r}")
