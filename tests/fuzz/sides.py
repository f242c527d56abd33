"""Two signals, one of each engine, to which the same is done; and how what comes of that is compared."""

import contextlib
import contextvars
import inspect
import logging
import types
import weakref

from tests.helpers.implementations import in_place, load

from .acts import anything
from .things import Stop

ENGINES = "python", "cython"  # the one that is the oracle first


class Side:
    """A signal of one engine, and what is in force for its sends."""

    def __init__(self, implementation):
        self.implementation = implementation
        self.package = load(implementation)
        self.engine = load(implementation, "csignals._dispatch")
        self.module = load(
            implementation, "csignals._dispatch.compiled" if implementation == "cython" else "csignals._dispatch.pure"
        )
        self.testing = load(implementation, "csignals.testing")
        self.scopes = load(implementation, "csignals._scopes")
        self.config = load(implementation, "csignals.signals")._config
        self.interceptor = load(implementation, "csignals._interception").interceptor
        with in_place(implementation), self.package.mute():  # which imports what it takes
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
        """Return what an act comes to: its result or its exception, and what it logged, in comparable terms."""
        self.log.clear()
        try:
            result = "returned", self.shape(act(self))
        except (Exception, Stop) as error:
            if isinstance(error, SystemError):
                raise
            result = "raised", self.shape(error)
        return result, [*self.log]

    def shape(self, value):
        """Return a value in terms that are the same for both engines."""
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
    """Stand in for csignals' own, as an event loop takes a hundred times as long as all the rest."""
    return [(receiver, next_of(receiver(signal=signal, sender=sender, **named))) for receiver in receivers]


def next_of(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value


def text_of(error):
    text = str(error)
    # CPython finds the words for these before it calls anybody, and Cython has its own for what is not unpacked.
    if "unpack" in text or "object is not iterable" in text:
        return "to unpack"
    text = text.removeprefix("csignals._dispatch.pure.")
    for words in ("keywords must be strings", "argument after ** must be a mapping, not "):
        if words in text:
            return text[text.index(words) :]
    return text


class Log(logging.Handler):
    """What send_robust logs, of the side whose turn it is."""

    def __init__(self):
        super().__init__()
        self.side = None

    def emit(self, record):
        self.side.log.append((record.levelname, record.msg, *map(str, record.args)))


class Pair:
    """Both engines, loaded once."""

    def __init__(self):
        self.sides = [Side(implementation) for implementation in ENGINES]
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

    def live(self, acts):
        """Do the same on both sides, one act after the other, and compare what comes of each."""
        contextvars.copy_context().run(self._live, acts)

    def _live(self, acts):
        for side in self.sides:
            side.begin()
        try:
            for act in acts:
                seen = []
                for side in self.sides:
                    self.log.side = side
                    seen.append(side.outcome(act))
                expected, found = seen
                if act.allows is anything or found != expected:
                    if act.allows(expected, found) or self.is_about_a_broken_list():
                        return  # from here on, the two need not be the same
                    raise Difference(act, expected, found)
                if expected[0][0] == "raised" and self.has_one_swept():
                    return
        finally:
            for side in self.sides:
                side.end()

    def has_one_swept(self):
        """Return whether one side alone has swept its list: before it compared what raised, as keywords may."""
        said = [getattr(side.signal, "_dead_receivers", None) for side in self.sides]
        return len({each is None or each is False for each in said}) > 1

    def is_about_a_broken_list(self):
        """Return whether the list of receivers is no right one: then when it is looked at differs.

        A list that is swept before it is read has lost what was wrong with it, if that was dead.
        """
        for side in self.sides:
            try:
                self.sides[0].module.RoutingTable(side.signal.receivers)
            except Exception:
                return True
        return False


class Difference(AssertionError):  # noqa: N818  # not of the fuzzer's own
    def __init__(self, act, expected, found):
        super().__init__(f"{act}: the engine in Python {expected!r}, the compiled one {found!r}")
