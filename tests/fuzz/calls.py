"""Calls of a signal's methods and of the internal functions. `program()` decodes a list of calls from bytes."""

import functools
import operator
import weakref

from .acts import Act, anything, both_raise, both_raise_if_odd, refuses_types
from .entries import KEYS, NO_LISTS, Lying, Undecided, entries, entry
from .things import SENDERS, VALUES, Plain, hear, mapping, plain, receiver, takes_no_named

METHODS = ["send", "send", "send_robust", "send_robust", "has_listeners", "_live_receivers"]
UIDS = [None, "", "uid", 0, 1, True, ("uid", 1), ["no hash"], float("nan"), b"uid", ((((((1,),),),),),), "\ud800"]
ENTRIES_OF_OTHERS = [None, (), (1,), [], 7, "ab", Lying(), {}]


def by_attribute(signal, method, args, named):
    return getattr(signal, method)(*args, **named)


def by_class(signal, method, args, named):
    return getattr(type(signal), method)(signal, *args, **named)


def by_partial(signal, method, args, named):
    return functools.partial(getattr(signal, method), *args[:1])(*args[1:], **named)


def by_methodcaller(signal, method, args, named):
    return operator.methodcaller(method, *args, **named)(signal)


def by_descriptor(signal, method, args, named):
    return vars(type(signal))[method].__get__(signal)(*args, **named)


def by_constant_names(signal, method, args, named):
    if method == "has_listeners" or method == "_live_receivers":
        return getattr(signal, method)(sender=args)
    return getattr(signal, method)(x=1, sender=args, y=2), signal.send(args, x=1, y=2), signal.send(args, signal=3)


WAYS = [by_attribute, by_class, by_partial, by_methodcaller, by_descriptor, by_constant_names]


def send(choices):
    method, way, named = choices.pick(METHODS), choices.pick(WAYS), mapping(choices)
    args = [choices.pick(SENDERS)] * choices.pick([1, 1, 1, 1, 0, 0, 2, 3])
    return Act(
        (way.__name__, method, args, in_words(named)),
        lambda side: way(side.signal, method, args, named),
        allows=both_raise_if_odd(named),
    )


def in_words(named):
    if not isinstance(named, dict) or len(named) > 50:
        return named if not isinstance(named, dict) else len(named)
    return {f"{type(name).__name__} {name!r}": each for name, each in named.items()}


def send_without_signal(choices):
    method, named = choices.pick(METHODS), mapping(choices)
    args = choices.several([*SENDERS, hear], 3)

    def act(side):
        return getattr(side.package.Signal, method)(*args, **named)

    return Act(("without a signal", method, args), act, refuses_types)


def connect(choices):
    whom, sender, uid = receiver(choices), choices.pick(SENDERS), choices.pick(UIDS)
    weak = choices.pick([True, False, 1, 0, None, ""])
    if choices.happens(10):
        whom = choices.pick(VALUES)

    def act(side):
        return side.signal.connect(whom, sender=sender, weak=weak, dispatch_uid=uid)

    return Act(("connect", whom, sender, weak, uid), act)


def disconnect(choices):
    whom, sender, uid = receiver(choices), choices.pick(SENDERS), choices.pick(UIDS)
    return Act(
        ("disconnect", whom, sender, uid),
        lambda side: side.signal.disconnect(whom, sender=sender, dispatch_uid=uid),
    )


def set_receivers(choices):
    chosen = choices.pick(NO_LISTS) if choices.happens(4) else entries(choices, 9)

    def act(side):
        side.signal.receivers = list(chosen) if type(chosen) is list else chosen

    return Act(("receivers =", chosen), act)


def delete_receivers(choices):
    def act(side):
        del side.signal.receivers

    return Act("del receivers", act)


def mutate_receivers(choices):
    how, added = choices.number(8), entries(choices, 2)

    def act(side):
        receivers = side.signal.receivers
        if how == 0:
            receivers.extend(added)
        elif how == 1:
            receivers.pop()
        elif how == 2:
            receivers.reverse()
        elif how == 3:
            receivers *= 2
        elif how == 4:
            del receivers[::2]
        elif how == 5:
            receivers[:1] = added
        elif how == 6:
            receivers.clear()
        else:
            side.signal.receivers += added

    return Act(("receivers", how, added), act)


def look_at_receivers(choices):
    return Act("look", lambda side: [key_of(each) for each in side.signal.receivers if not is_dead(each)])


def key_of(each):
    return each[0] if isinstance(each, tuple) and each else type(each)


def is_dead(each):
    """Return whether an entry may be off the list by now, or not yet."""
    return isinstance(each, tuple) and any(isinstance(part, weakref.ref) and part() is None for part in each[1:3])


def make_key(choices):
    args = [choices.pick([*SENDERS, hear, takes_no_named]) for _ in range(choices.pick([3, 3, 3, 3, 0, 1, 2, 4]))]
    if len(args) == 3:
        args[2] = choices.pick(UIDS)
    named = {} if choices.happens(2) else mapping(choices)
    # A name that is equal to every string may match different parameters in Cython and in Python.
    is_odd = both_raise_if_odd(named) is both_raise
    return Act(
        ("make_key", args, named),
        lambda side: side.dispatch.make_key(*args, **named),
        allows=anything if is_odd else both_raise,
    )


def code_flags(choices):
    whom = receiver(choices)

    def act(side):
        flags = side.dispatch.code_flags(whom)
        return flags in (0, getattr(getattr(whom, "__code__", None), "co_flags", 0)) or hasattr(whom, "__func__")

    return Act(("code_flags", whom), act)


def add_entry(choices):
    added = choices.pick(ENTRIES_OF_OTHERS) if choices.happens(8) else entry(choices)
    signal = choices.pick(VALUES) if choices.happens(12) else Act

    def act(side):
        return side.dispatch.add_entry(side.signal if signal is Act else signal, added)

    return Act(("add_entry", signal, added), act, refuses_types)


def remove_entry(choices):
    key = choices.pick(ENTRIES_OF_OTHERS) if choices.happens(8) else choices.pick(KEYS)
    signal = choices.pick(VALUES) if choices.happens(12) else Act

    def act(side):
        return side.dispatch.remove_entry(side.signal if signal is Act else signal, key)

    return Act(("remove_entry", signal, key), act, refuses_types)


def call_all(choices):
    receivers = [receiver(choices) for _ in range(choices.number(4))]
    named = mapping(choices)
    sender = choices.pick(SENDERS)
    if choices.happens(6):
        receivers = choices.pick([None, 7, (), iter(()), [None], [7], "ab"])
    return Act(
        ("call_all", receivers, sender, in_words(named)),
        lambda side: side.dispatch.call_all(side.signal, receivers, sender, named),
        allows=both_raise_if_odd(named) if type(named) is dict else refuses_types,
    )


def open_scope(choices):
    kind, where, whom = choices.number(6), choices.pick(["context", "process"]), receiver(choices)
    sender = choices.pick(SENDERS)

    def act(side):
        scope = [
            lambda: side.package.trace(where),
            lambda: side.package.trace(where, max_records=2),
            lambda: side.testing.capture(side.signal, scope=where),
            lambda: side.testing.capture(sender=sender, scope=where, deliver=False),
            lambda: side.package.mute(side.signal, receivers=whom),
            lambda: side.package.mute(senders=[sender]),
        ][kind]()
        side.opened.append((scope, side.stack.enter_context(scope)))

    return Act(("open", kind, where, sender), act)


def read_scopes(choices):
    return Act("read", lambda side: [contents(side, scope, entered) for scope, entered in side.opened])


def contents(side, scope, entered):
    if isinstance(entered, list):
        return [(each.sender, each.named, each.responses, each.exception) for each in entered]
    if isinstance(scope, side.package.mute):
        return "mute"
    # Names may have addresses, which differ between the sides.
    return [(each.send.sender, each.is_async, bool(each.exception), bool(each.end_ns)) for each in scope.records]


def intercept(choices):
    """Set an object that is not an interceptor, and enable interception. Then restore the right interceptor."""
    interceptor = choices.pick([None, None, plain, 7, Plain])

    def act(side):
        try:
            side.dispatch.set_interceptor(interceptor)
            side.dispatch.enable_interception(True)
        finally:
            side.dispatch.set_interceptor(side.interceptor)
            side.scopes.update_interception()

    return Act(("intercept", interceptor), act, anything)


def record(choices):
    """Make records of a trace directly, and enter and leave them."""
    steps = [(choices.number(14), choices.pick([*VALUES, (), (1,)])) for _ in range(choices.number(6))]

    def act(side):
        send = side.dispatch.SendBase(side.signal, plain, ())
        call = side.dispatch.CallBase(send, hear)
        bare = side.dispatch.CallBase.__new__(side.dispatch.CallBase)
        trace = side.dispatch.TraceBase.__new__(side.dispatch.TraceBase)
        actions = [
            lambda value: side.dispatch.SendBase(value, value, value),
            lambda value: side.dispatch.SendBase(side.signal, plain, (value,)),
            lambda value: side.dispatch.CallBase(value, hear),
            lambda value: side.dispatch.CallBase(side.dispatch.SendBase.__new__(side.dispatch.SendBase), value),
            lambda value: call.end(value),
            lambda value: bare.end(value),
            lambda value: side.dispatch.enter(value),
            lambda value: side.dispatch.leave(side.dispatch.enter(bare)),
            lambda value: side.dispatch.leave(side.dispatch.enter(call)),
            lambda value: side.dispatch.enter(call),
            lambda value: side.dispatch.leave(value),
            lambda value: send.close(value),
            lambda value: send.let_go(),
            lambda value: side.dispatch.CallBase(side.dispatch.SendBase(side.signal, plain, (trace,)), value),
        ]
        for number, value in steps:
            try:
                actions[number](value)
            except (TypeError, AttributeError, NotImplementedError):
                continue
            finally:
                side.signal.send(None)

    return Act(("record", steps), act, anything)


def set_attribute(choices):
    name = choices.pick(["_dead_receivers", "_dead_receivers", "_csignals_callback", "use_caching", "extra"])
    value = choices.pick([*VALUES, True, False, 1]) if name != "_csignals_callback" else None

    def act(side):
        setattr(side.signal, name, value)

    return Act((name, "=", value), act)


def forget_table(choices):
    def act(side):
        side.signal._csignals_table = None

    return Act("no table", act)


LIVE = [
    ([hear], []),
    ([], []),
    ((hear, takes_no_named), ()),
    ([None], []),
    (iter([hear]), []),
    None,
    7,
    ([hear], [], []),
    [hear],
    ([plain, plain.hear], [0]),
]


def override_live_receivers(choices):
    live = choices.pick(LIVE[:4]) if choices.happens(3) else choices.pick(LIVE)
    delete = choices.happens(2)

    def act(side):
        if delete:
            del side.signal._live_receivers
        else:
            side.signal._live_receivers = lambda *args, **named: again(live)

    return Act(("_live_receivers", live, delete), act)


def again(live):
    if isinstance(live, tuple) and not isinstance(live[0], (list, tuple)):
        return iter([hear]), []
    return live


def die(choices):
    """Connect a method of an object that is also the sender, and delete the object."""

    def act(side):
        owner = Plain()
        side.signal.connect(owner.hear, sender=owner)
        before = side.signal.has_listeners(owner)
        reference = weakref.ref(owner)
        del owner
        return before, reference() is None, side.signal.has_listeners()

    return Act("die", act)


def make_table(choices):
    kind = choices.pick([list, tuple, iter])
    chosen = kind(entries(choices, 9)) if choices.happens(2) else choices.pick(NO_LISTS)
    named = mapping(choices) if choices.happens(8) else {}

    def act(side):
        side.module.RoutingTable(chosen, **named)

    # A list may have two errors, and either may be found first.
    return Act(("RoutingTable", chosen), act, lambda *both: both_raise(*both) or refuses_types(*both))


def lie(choices):
    """Put tuples on the list whose methods contradict their items. The implementations read them in different ways."""
    key, *others = entry(choices) or (None,)
    lying = Lying([key, *others][: choices.number(5)])
    put = choices.pick([[lying], [lying], [(key, hear, None, Undecided())]])

    def act(side):
        side.signal.receivers = list(put)
        for method in METHODS:
            try:
                getattr(side.signal, method)(None)
            except Exception:
                continue

    return Act(("lie", put), act, anything)


CALLS = [
    send,
    send,
    send,
    send,
    connect,
    connect,
    send,
    set_receivers,
    send,
    mutate_receivers,
    send,
    disconnect,
    look_at_receivers,
    open_scope,
    read_scopes,
    send,
    make_key,
    add_entry,
    remove_entry,
    call_all,
    die,
    forget_table,
    set_attribute,
    override_live_receivers,
    make_table,
    record,
    lie,
    intercept,
    code_flags,
    delete_receivers,
    send_without_signal,
]


def program(choices):
    """Return the acts of a program: usually a connection first, then some calls."""
    acts = [] if choices.happens(4) else [connect(choices)]
    for _ in range(1 + choices.number(8)):
        acts.append(choices.pick(CALLS)(choices))
    return acts
