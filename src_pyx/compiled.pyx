# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The compiled dispatcher: what ``csignals/_dispatch/pure.py`` specifies, made fast. Read that file first.

Here are the methods of a signal and the hot loop. The parts that this file includes: the routing table
(_routing_table.pxi), adding and removing entries (_registration.pxi), what traces record and interception
(_tracing.pxi), a signal's state (_signal_base.pxi), reading a signal and arguments (_view.pxi, _arguments.pxi), and
how threads share all this without the GIL (_sharing.pxi). Rare cases (a wrong call, a receiver to await, a dead entry
to sweep, a muted signal) are done by the Python code that the fallback runs as well.

A ``PyObject *`` holds no reference unless the comment beside it says so.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.list cimport PyList_New
from cpython.long cimport PyLong_AsVoidPtr, PyLong_FromVoidPtr
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject
from cpython.ref cimport Py_XDECREF, Py_XINCREF
from cpython.tuple cimport PyTuple_Check, PyTuple_CheckExact
from cpython.type cimport PyType_Check
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memmove

from _capi cimport (
    IS_FREE_THREADED, METH_FASTCALL, METH_KEYWORDS, PREFERS_NO_DICT, PY_VECTORCALL_ARGUMENTS_OFFSET,
    PyContextVar_Get, PyDescr_NewMethod, PyDict_GET_SIZE, PyErr_ExceptionMatches, PyErr_SetExcInfo,
    PyFunction_Check, PyList_CheckExact, PyList_GET_SIZE, PyMethodDef, PyMethod_Check, PyMethod_GET_FUNCTION,
    PyMethod_New, PyObject_GenericGetDict, PyObject_Vectorcall, PyThread_get_thread_ident, PyTuple_GET_ITEM,
    PyTuple_GET_SIZE, PyType_IsSubtype, PyUnicode_Check, PyUnicode_CheckExact, PyWeakref_CheckRef,
    PyWeakref_CheckRefExact, Py_False, base_dict, call, called, clear, co_flags, current_context, get, handle,
    has_attributes, has_dict, has_key, is_generic_getattr, is_interned, is_set, is_unshared, item_at, list_items,
    load, lookup, method_def, new_instance, new_pair, new_referent, pair, perf_counter_ns, set_raised, set_value,
    shared_items, store, take_item, tuple_items, type_version,
)

from contextvars import ContextVar
from types import MethodType
from weakref import WeakMethod

from csignals._dispatch import pure
from csignals._dispatch.common import (
    NONE_ID, StrongRef, config_of, is_alive, make_id, split_sync_async, store_no_receivers_locked, store_table, sweep,
    under_lock, wait_and_sweep,
)
from csignals._dispatch.pure import python_send
from csignals._dispatch.pure_records import describe_exception
from csignals._introspection import naming
from csignals._introspection.naming import describe, describe_sender

cdef enum:
    STACK_SLOTS = 32    # arguments and receivers up to this number wait on the C stack, more on the heap

cdef str SIGNAL = "signal"
cdef str SENDER = "sender"
cdef str SELF = "self"
cdef str RECEIVERS = "receivers"
cdef str LIVE_RECEIVERS = "_live_receivers"
cdef str DEAD_RECEIVERS = "_dead_receivers"
cdef str TABLE = "_csignals_table"
cdef tuple BARE_NAMES = (SIGNAL, SENDER)
cdef object DELETED = object()

# How log_failure() is called where what it raises has to wait: not in a `finally`, which sees to exceptions itself.
ctypedef int (*Log)(object, object, object) noexcept
ctypedef PyObject *(*CallRecorded)(Slots *, PyObject *, PyObject *, object) noexcept

cdef PyTypeObject *signal_class     # csignals.Signal


@cython.auto_pickle(False)
@cython.final
cdef class AllConfigs:
    """What the config of all classes say, so that a send need not look for its own. Never changed, but replaced."""

    cdef object wrapper         # a KnownWrapper
    cdef object no_receivers
    cdef bint any_live_lists
    cdef tuple framed           # the signals that keep their frames

    def __cinit__(self):
        self.framed = ()


cdef AllConfigs all_configs = AllConfigs.__new__(AllConfigs)
cdef tuple scopes = ()          # those of the wrapper
cdef object CONFIGS = object()    # in whose critical section these two are replaced

cdef PyMethodDef LIVE_RECEIVERS_DEF
cdef PyMethodDef LIVE_LIST_DEF
cdef PyMethodDef HAS_LISTENERS_DEF
cdef PyMethodDef SEND_DEF
cdef PyMethodDef SEND_ROBUST_DEF


include "_routing_table.pxi"
include "_registration.pxi"
include "_tracing.pxi"
include "_signal_base.pxi"
include "_view.pxi"
include "_sharing.pxi"
include "_arguments.pxi"


# --- The methods ---------------------------------------------------------------------------------------------

cdef inline AllConfigs configs_now():
    with cython.critical_section(CONFIGS):
        return all_configs


cdef inline tuple scopes_now():
    with cython.critical_section(CONFIGS):
        return scopes


cdef inline int open_slots(Slots *slots, Py_ssize_t arguments, Py_ssize_t receivers) except -1:
    # One more in front: whom we call may use the place before the arguments.
    slots.arguments = slots.stack
    if 1 + arguments + receivers > STACK_SLOTS:
        slots.arguments = <PyObject **>PyMem_Malloc((1 + arguments + receivers) * sizeof(PyObject *))
        if slots.arguments == NULL:
            raise MemoryError
    slots.arguments += 1
    slots.live = slots.arguments + arguments
    slots.size = 0
    return 0


cdef inline void close_slots(Slots *slots) noexcept:
    for i in range(slots.size):
        Py_XDECREF(slots.live[i])
    if slots.arguments != slots.stack + 1:
        PyMem_Free(slots.arguments - 1)


cdef list new_live(RoutingTable table, uint32_t segment, bint is_async):
    cdef Slots slots
    cdef Py_ssize_t i
    open_slots(&slots, 0, table.max_receivers(segment))
    try:
        table.resolve(segment, is_async, &slots)
        return [<object>slots.live[i] for i in range(slots.size)]
    finally:
        close_slots(&slots)


cdef RoutingTable current_table(self):
    """Return the routing table for what the signal's `receivers` holds now, whoever chooses its receivers."""
    cdef View view
    cdef RoutingTable table
    if IS_FREE_THREADED:
        return shared_table(self, True)
    cdef bint is_plain = reads_plainly(Py_TYPE(self))   # first, as it may run anybody's code
    read_receivers(self, &view)
    read_table(self, &view)
    table = known_table(&view)
    return table if is_plain and is_current(self, &view, table) else new_table(self)


cdef object fast_live_receivers(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    cdef RoutingTable table
    cdef Interception active
    cdef uint32_t segment
    if find_sender(names, nargs) < 0 or (names != NULL and PyTuple_GET_SIZE(names) + nargs > 1):
        return call_python(pure.live_receivers, self, args, nargs, names)   # which Python refuses
    table = current_table(self)
    segment = table.segment_of(args[0])
    if (
        table.max_receivers(segment) == 0 and configs_now().no_receivers is not None
        and look_up_chooser(self, table) != OWN
    ):
        store_no_receivers(self, <object>args[0], table)      # as a wrapper asks
    live = new_live(table, segment, False), new_live(table, segment, True) if table.has_async else []
    active = None if is_interception_off_now() else interception_now()
    return live if active is None else active.interceptor.filter_muted(self, <object>args[0], live)


cdef object fast_live_list(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    return fast_live_receivers(self, args, nargs, names)[0]


cdef tuple live_of_table(self, sender):
    cdef RoutingTable table = current_table(self)
    cdef uint32_t segment = table.segment_of(<PyObject *>sender)
    return new_live(table, segment, False), new_live(table, segment, True) if table.has_async else []


def find_receivers(signal, sender):
    cdef RoutingTable table = kept_table(signal)
    cdef int chooser = look_up_chooser(signal, table)
    if chooser == OWN:
        return (*live_of_table(signal, sender), None)
    if surely_has_no_receivers(signal, sender, None):
        return (), (), None
    if chooser == WRAPPER:
        sync, async_ = live_of_table(signal, sender)
        return sync, async_, Recorder(signal) if sync else None
    sync, async_ = ask_live(signal, sender)
    return sync, async_, None


pure.set_find_receivers(find_receivers)     # for the sends that are done there: their signals have these tables


def has_no_receivers(signal, sender):
    return surely_has_no_receivers(signal, sender, None)


cdef bint surely_has_no_receivers(signal, sender, RoutingTable table) except -1:
    """The same, given the signal's routing table if that is known to be right."""
    no_receivers = configs_now().no_receivers
    if no_receivers is None or not getattr(signal, "use_caching", False):
        return False
    if table is None:
        table = current_table(signal)
    if table.max_receivers(table.segment_of(<PyObject *>sender)) != 0:
        return False
    try:
        return signal.sender_receivers_cache.get(sender) is no_receivers
    except Exception:
        return False


cdef int store_no_receivers(signal, sender, RoutingTable table) except -1:
    no_receivers = configs_now().no_receivers
    if no_receivers is None or not getattr(signal, "use_caching", False):
        return 0
    try:
        if signal.sender_receivers_cache.get(sender) is not no_receivers:
            under_lock(signal, False, store_no_receivers_locked, signal, sender, table.snapshot, no_receivers)
    except Exception:
        pass
    return 0


cdef inline tuple ask_live(signal, sender):
    """Return the sync and the async receivers that ``_live_receivers`` says."""
    live = signal._live_receivers(sender)
    if configs_now().any_live_lists:
        live = split_sync_async(signal, live)
    if type(live) is tuple and PyTuple_GET_SIZE(<PyObject *>live) == 2:
        return <tuple>live
    sync, async_ = live
    return sync, async_


cdef object fast_has_listeners(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    cdef View view
    cdef RoutingTable table
    cdef uint32_t segment
    if not is_interception_off_now() or nargs > 1 or names != NULL:
        return call_python(pure.has_listeners, self, args, nargs, names)
    sender = <object>args[0] if nargs else None
    if is_others_class(Py_TYPE(self)):
        return has_listeners_by_others(self, sender)
    if IS_FREE_THREADED:
        table = shared_table(self, False)
    else:
        read_receivers(self, &view)
        read_table(self, &view)
        table = known_table(&view)
        if chooser_of(self, &view, table) > WRAPPER:
            table = None
        elif not is_current(self, &view, table):
            table = new_table(self)
    if table is None:
        return has_listeners_by_others(self, sender)
    segment = table.segment_of(<PyObject *>sender)
    if table.max_receivers(segment) == 0:
        return False
    return bool(new_live(table, segment, False)) or (table.has_async and bool(new_live(table, segment, True)))


cdef object has_listeners_by_others(self, sender):
    """Like fast_has_listeners(), where csignals' method alone does not choose the receivers."""
    if is_others_class(Py_TYPE(self)) or look_up_chooser(self, kept_table(self)) == OTHERS:
        sync, async_ = ask_live(self, sender)
    else:
        sync, async_ = live_of_table(self, sender)
    return bool(sync) or bool(async_)


cdef object fast_send(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    return dispatch(self, args, nargs, names, False)


cdef object fast_send_robust(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    return dispatch(self, args, nargs, names, True)


cdef inline object dispatch(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust):
    if is_interception_off_now():
        return dispatch_recorded(self, args, nargs, names, robust, <PyObject *>NULL)
    return dispatch_intercepted(self, args, nargs, names, robust)


cdef object dispatch_intercepted(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust):
    """Send while interception is enabled."""
    cdef Py_ssize_t sender_at = find_sender(names, nargs)
    cdef Interception active = interception_now()
    if active is None:      # it is just being disabled
        return dispatch_recorded(self, args, nargs, names, robust, <PyObject *>NULL)
    traces = None if sender_at < 0 else active_traces(active, self, <object>args[sender_at])
    if traces is None:
        return call_python(python_send(config_of(self), robust), self, args, nargs, names)
    return dispatch_recorded(self, args, nargs, names, robust, <PyObject *>traces if traces else NULL)


cdef inline object dispatch_recorded(
    self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust, PyObject *traces
):
    """Send, and record the calls in these traces unless they are NULL."""
    cdef Py_ssize_t sender_at
    cdef View view
    cdef RoutingTable table
    cdef int chooser
    if IS_FREE_THREADED:
        table = shared_table(self, False)
        if table is None:
            return dispatch_rare(self, args, nargs, names, robust, traces, None, NOT_LOOKED_UP)
        chooser = chooser_of_class(Py_TYPE(self), table)
        if chooser == OWN:
            return dispatch_by(table, self, args, nargs, names, robust, traces, OWN)
        return dispatch_by_others(table, self, args, nargs, names, robust, traces, chooser)
    read_receivers(self, &view)
    if view.receivers != NULL and PyList_CheckExact(view.receivers):
        if PyList_GET_SIZE(view.receivers) == 0:
            sender_at = find_sender(names, nargs)
            if sender_at >= 0 and are_plain(names, nargs, sender_at):
                return []
        else:
            read_table(self, &view)
            table = known_table(&view)
            chooser = chooser_of(self, &view, table)
            if not is_current(self, &view, table):
                table = None if chooser > WRAPPER else new_table(self)
            if chooser == OWN:
                return dispatch_by(table, self, args, nargs, names, robust, traces, OWN)
            return dispatch_by_others(table, self, args, nargs, names, robust, traces, chooser)
    return dispatch_rare(self, args, nargs, names, robust, traces, None, NOT_LOOKED_UP)


cdef object dispatch_by_others(
    RoutingTable table, self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust, PyObject *traces,
    int chooser
):
    """Send where csignals' method alone does not choose the receivers."""
    if chooser == WRAPPER:
        return dispatch_by(table, self, args, nargs, names, robust, traces, WRAPPER)
    return dispatch_rare(self, args, nargs, names, robust, traces, table, chooser)


cdef inline object dispatch_by(
    RoutingTable table, self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust, PyObject *traces,
    int chooser
):
    """Send to those that the signal's routing table has."""
    cdef Py_ssize_t sender_at
    cdef uint32_t segment
    cdef Py_ssize_t max_receivers
    cdef Slots slots
    names_out = table.outgoing_names(names, nargs, &sender_at)
    if names_out is None or not table.is_direct or (chooser != OWN and traces != NULL):
        return dispatch_rare(self, args, nargs, names, robust, traces, table, chooser)
    segment = table.segment_of(args[sender_at])
    max_receivers = table.max_receivers(segment)
    if max_receivers == 0:
        return []
    open_slots(&slots, PyTuple_GET_SIZE(<PyObject *>names_out), max_receivers)
    try:
        table.resolve(segment, False, &slots)
        if traces != NULL:
            return call_each_recorded(&slots, self, args, sender_at, names_out, robust, <tuple>traces)
        if chooser != OWN:
            return call_each_wrapped(&slots, self, args, sender_at, names_out, robust)
        return call_each(&slots, self, args, sender_at, <PyObject *>names_out, robust, NULL, NULL)
    finally:
        close_slots(&slots)


cdef object dispatch_rare(
    self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust, PyObject *traces, RoutingTable table,
    int chooser
):
    """Send where the arguments are Python's affair, or the receivers those that ``self._live_receivers`` says."""
    cdef Py_ssize_t sender_at
    cdef Slots slots
    cdef PyObject *response
    cdef SendBase record = None
    cdef PyObject *recorded = NULL
    cdef Recorder recorder = None
    if table is not None:
        names_out = table.outgoing_names(names, nargs, &sender_at)
    else:
        sender_at = find_sender(names, nargs)
        names_out = outgoing_names(names, nargs, sender_at)
    if names_out is None or keeps_frame(self):
        return call_python(python_send(config_of(self), robust), self, args, nargs, names)
    if not self.receivers:
        return []
    sender = <object>args[sender_at]
    if chooser == NOT_LOOKED_UP:
        chooser = look_up_chooser(self, kept_table(self) if table is None else table)
    if chooser == OTHERS or traces != NULL:
        if surely_has_no_receivers(self, sender, table):
            return []
        sync, async_ = ask_live(self, sender)
    else:
        sync, async_ = live_of_table(self, sender)
        if chooser == WRAPPER:
            recorder = Recorder(self)
    if type(sync) is list and PyList_GET_SIZE(<PyObject *>sync) == 0 and not async_:
        return []
    responses = []
    if traces != NULL:
        record = new_send(self, sender, <tuple>traces)
        recorded = <PyObject *>record
    open_slots(&slots, PyTuple_GET_SIZE(<PyObject *>names_out), 0)
    try:
        lay_arguments(&slots, self, args, sender_at, <PyObject *>names_out)
        for receiver in sync:
            response = new_response(
                &slots, self, <PyObject *>receiver, <PyObject *>names_out, robust, recorded,
                NULL if recorder is None else <PyObject *>recorder,
            )
            Py_XINCREF(<PyObject *>receiver)
            responses.append(pair(<PyObject *>receiver, response))
        if async_:
            named = named_arguments(args, nargs, names)
            named.pop(SENDER, None)
            responses += config_of(self).await_receivers(self, async_, sender, named, robust, record)
    finally:
        close_slots(&slots)
        if record is not None:
            close_send(record)
    return responses


cdef inline void lay_arguments(
    Slots *slots, self, PyObject *const *args, Py_ssize_t sender_at, PyObject *names
) noexcept:
    cdef Py_ssize_t i, at = 2
    slots.arguments[0] = <PyObject *>self
    slots.arguments[1] = args[sender_at]
    for i in range(PyTuple_GET_SIZE(names) - 1):
        if i != sender_at:
            slots.arguments[at] = args[i]
            at += 1


cdef inline PyObject *new_response(
    Slots *slots, self, PyObject *receiver, PyObject *names, bint robust, PyObject *record, PyObject *recorder
) except NULL:
    """Call a receiver, and return a new reference to its response."""
    cdef PyObject *response
    if record != NULL:
        return new_recorded_response(self, receiver, slots.arguments, names, robust, <SendBase>record)
    if recorder != NULL:
        response = (<CallRecorded>new_response_by_recorder)(slots, receiver, names, <object>recorder)
        if response == NULL and not robust:
            return NULL
    elif not robust:
        return call(receiver, slots.arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, names)
    else:
        response = PyObject_Vectorcall(receiver, slots.arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, names)
    return response if response != NULL else logged_failure(self, <object>receiver)


@cython.final
@cython.freelist(8)
cdef class Recorder:
    cdef object signal
    cdef object caller_of_all
    cdef bint is_asked

    def __cinit__(self, signal):
        self.signal = signal

    cpdef object caller(self):
        if not is_recording():
            return None
        if not self.is_asked:
            self.caller_of_all = configs_now().wrapper.caller(self.signal)
            self.is_asked = True
        return self.caller_of_all


cdef inline bint is_recording() except -1:
    cdef tuple variables = scopes_now()
    cdef PyObject *scope
    cdef bint is_none
    for i in range(PyTuple_GET_SIZE(<PyObject *>variables)):
        PyContextVar_Get(<object>PyTuple_GET_ITEM(<PyObject *>variables, i), NULL, &scope)
        is_none = scope == NULL or scope == <PyObject *>None
        if not is_none:
            current = <object>scope
        Py_XDECREF(scope)
        if not is_none and is_recording_in(current):
            return True
    return PyTuple_GET_SIZE(<PyObject *>variables) == 0


cdef bint is_recording_in(scope) except -1:
    span = scope._span
    if span is None:
        return False
    recorded = getattr(span, "containing_transaction", span)
    return recorded is not None and recorded.sampled is not False


cdef PyObject *new_response_by_recorder(Slots *slots, PyObject *receiver, PyObject *names, recorder) except NULL:
    """Call a receiver in a span if one is being recorded, or else directly."""
    caller = (<Recorder>recorder).caller()
    if caller is None:
        return call(receiver, slots.arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, names)
    (slots.arguments - 1)[0] = receiver
    return call(<PyObject *>caller, slots.arguments - 1, 1, names)


cdef inline list call_each(
    Slots *slots, self, PyObject *const *args, Py_ssize_t sender_at, PyObject *names, bint robust, PyObject *record,
    PyObject *recorder
):
    """Call the receivers in `slots`, and return the pairs (receiver, response)."""
    cdef PyObject **live = slots.live
    cdef PyObject **items
    cdef PyObject *receiver
    cdef PyObject *response
    cdef Py_ssize_t i, size = slots.size
    lay_arguments(slots, self, args, sender_at, names)
    for i in range(size):
        receiver = live[i]
        response = new_response(slots, self, receiver, names, robust, record, recorder)
        live[i] = NULL
        live[i] = new_pair(receiver, response)
    responses = PyList_New(size)
    items = list_items(<PyObject *>responses)
    for i in range(size):
        items[i] = live[i]
    slots.size = 0
    return responses


cdef list call_each_wrapped(
    Slots *slots, self, PyObject *const *args, Py_ssize_t sender_at, tuple names, bint robust
):
    """Like call_each(), and do what the known wrapper of ``_live_receivers`` does around each call."""
    recorder = Recorder(self)
    return call_each(slots, self, args, sender_at, <PyObject *>names, robust, NULL, <PyObject *>recorder)


cdef list call_each_recorded(
    Slots *slots, self, PyObject *const *args, Py_ssize_t sender_at, tuple names, bint robust, tuple traces
):
    """Like call_each(), and record it in these traces."""
    record = new_send(self, <object>args[sender_at], traces)
    try:
        return call_each(slots, self, args, sender_at, <PyObject *>names, robust, <PyObject *>record, NULL)
    finally:
        close_send(record)


def call_all(signal, receivers, sender, dict named):
    cdef Slots slots
    if SIGNAL in named or SENDER in named:      # which Python refuses
        return pure.call_all(signal, receivers, sender, named)
    named = dict(named)     # receivers may change the caller's through their frames
    names = (SIGNAL, SENDER, *named)
    open_slots(&slots, len(names), 0)
    try:
        slots.arguments[0] = <PyObject *>signal
        slots.arguments[1] = <PyObject *>sender
        for i, value in enumerate(named.values()):
            slots.arguments[i + 2] = <PyObject *>value
        # No comprehension: Cython's lets go twice of what it finds no room for.
        responses = []
        for receiver in receivers:
            response = called(<PyObject *>receiver, slots.arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, <PyObject *>names)
            responses.append((receiver, response))
        return responses
    finally:
        close_slots(&slots)


cdef PyObject *logged_failure(self, receiver) except NULL:
    """Log the exception that is being raised, and return it; unless it is no Exception, then it goes on."""
    cdef PyObject *outer[3]
    cdef int status
    if not PyErr_ExceptionMatches(Exception):
        return NULL
    error = handle(outer)
    status = (<Log>log_failure)(self, receiver, error)
    PyErr_SetExcInfo(outer[0], outer[1], outer[2])
    if status < 0:
        return NULL
    Py_XINCREF(<PyObject *>error)
    return <PyObject *>error


cdef int log_failure(self, receiver, error) except -1:
    config_of(self).log_failure(self, receiver, error)
    return 0


cdef list TEXTS = []    # keeps alive what the definitions point to


cdef int define(PyMethodDef *method, void *function, specification, str parameters) except -1:
    """Define a method by its C function, and by the name and docstring of its specification."""
    name = specification.__qualname__.rpartition(".")[2]
    text = name.encode(), f"{name}{parameters}\n--\n\n{specification.__doc__}".encode()
    TEXTS.append(text)
    method.ml_name, method.ml_doc = text[0], text[1]
    method.ml_meth = function
    method.ml_flags = METH_FASTCALL | METH_KEYWORDS
    return 0


define(&LIVE_RECEIVERS_DEF, <void *>fast_live_receivers, pure.live_receivers, "($self, sender)")
define(&LIVE_LIST_DEF, <void *>fast_live_list, pure.live_list, "($self, sender)")
define(&HAS_LISTENERS_DEF, <void *>fast_has_listeners, pure.has_listeners, "($self, sender=None)")
define(&SEND_DEF, <void *>fast_send, pure.send, "($self, sender, **named)")
define(&SEND_ROBUST_DEF, <void *>fast_send_robust, pure.send_robust, "($self, sender, **named)")


def methods(type cls, config):
    """Return the methods with which this engine dispatches a class of signals."""
    global signal_class, all_configs
    cdef PyMethodDef *live = &LIVE_LIST_DEF if config.has_live_list else &LIVE_RECEIVERS_DEF
    if issubclass(cls, SignalBase):
        signal_class = <PyTypeObject *>cls
    pure.methods(cls, config)    # which keeps the config
    cdef AllConfigs known = configs_now(), following = AllConfigs.__new__(AllConfigs)
    following.wrapper = config.wrapper or known.wrapper
    following.no_receivers = pure.no_receivers
    following.any_live_lists = known.any_live_lists or config.has_live_list
    following.framed = known.framed + config.keep_frames
    with cython.critical_section(CONFIGS):
        following, all_configs = all_configs, following
    return {
        "_live_receivers": PyDescr_NewMethod(<PyTypeObject *>cls, live),
        "has_listeners": PyDescr_NewMethod(<PyTypeObject *>cls, &HAS_LISTENERS_DEF),
        "send": PyDescr_NewMethod(<PyTypeObject *>cls, &SEND_DEF),
        "send_robust": PyDescr_NewMethod(<PyTypeObject *>cls, &SEND_ROBUST_DEF),
    }
