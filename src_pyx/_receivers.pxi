"""Finding the receivers of a send: makes the section of this name in csignals/_dispatch/pure.py fast.

Here are a signal's live receivers, and what a known wrapper does around their calls. The hot path of a send, in
_methods.pxi, uses the routing table directly where it can.
"""


cdef inline int open_slots(Slots *slots, Py_ssize_t arguments, Py_ssize_t receivers) except -1:
    # One place more before the arguments, which PY_VECTORCALL_ARGUMENTS_OFFSET lets a called object use.
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
    """Return the live sync or async receivers of a segment and of all senders, as a new list."""
    cdef Slots slots
    cdef Py_ssize_t i
    open_slots(&slots, 0, table.max_receivers(segment))
    try:
        table.resolve(segment, is_async, &slots)
        return [<object>slots.live[i] for i in range(slots.size)]
    finally:
        close_slots(&slots)


cdef RoutingTable current_table(self):
    """Return a signal's routing table, right for the present content of `receivers`, whatever chooses the receivers."""
    cdef View view
    cdef RoutingTable table
    if IS_FREE_THREADED:
        return shared_table(self, True)
    cdef bint is_plain = reads_plainly(Py_TYPE(self))   # first, as it may run a program's code
    read_receivers(self, &view)
    read_table(self, &view)
    table = known_table(&view)
    return table if is_plain and is_current(self, &view, table) else new_table(self)


cdef object fast_live_receivers(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    """Makes `pure.live_receivers` fast, by the routing table."""
    cdef RoutingTable table
    cdef Interception active
    cdef uint32_t segment
    if find_sender(names, nargs) < 0 or (names != NULL and PyTuple_GET_SIZE(names) + nargs > 1):
        return call_python(pure.live_receivers, self, args, nargs, names)   # raises a TypeError
    table = current_table(self)
    segment = table.segment_of(args[0])
    if (
        table.max_receivers(segment) == 0 and merged_config_now().no_receivers is not None
        and find_chooser(self, table) != OWN
    ):
        store_no_receivers(self, <object>args[0], table)      # a wrapper called this method
    live = new_live(table, segment, False), new_live(table, segment, True) if table.has_async else []
    active = None if is_interception_off_now() else interception_now()
    return live if active is None else active.interceptor.filter_muted(self, <object>args[0], live)


cdef object fast_live_list(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    """Makes `pure.live_list` fast, by live_receivers()."""
    return fast_live_receivers(self, args, nargs, names)[0]


cdef tuple live_of_table(self, sender):
    """Return the sync and the async receivers that csignals' method chooses, muted ones included."""
    cdef RoutingTable table = current_table(self)
    cdef uint32_t segment = table.segment_of(<PyObject *>sender)
    if table.max_receivers(segment) == 0:
        return (), ()
    return new_live(table, segment, False), new_live(table, segment, True) if table.has_async else []


def find_receivers(signal, sender):
    """Return the sync and the async receivers of a send, and the recorder of a known wrapper, or None.

    Makes `pure.find_receivers` fast, by the routing table.
    """
    cdef RoutingTable table = kept_table(signal)
    cdef int chooser = find_chooser(signal, table)
    if chooser == OWN:
        sync, async_ = live_of_table(signal, sender)
        return sync, async_, None
    if has_none(signal, sender, None):
        return (), (), None
    if chooser == WRAPPER:
        sync, async_ = live_of_table(signal, sender)
        return sync, async_, Recorder(signal) if sync else None
    sync, async_ = ask_live(signal, sender)
    return sync, async_, None


pure.set_find_receivers(find_receivers)     # for sends that run in Python: the signals have compiled routing tables


cdef inline tuple ask_live(signal, sender):
    """Return the sync and the async receivers that a signal's ``_live_receivers`` returns."""
    live = signal._live_receivers(sender)
    if merged_config_now().any_live_lists:
        live = split_sync_async(signal, live)
    if type(live) is tuple and PyTuple_GET_SIZE(<PyObject *>live) == 2:
        return <tuple>live
    sync, async_ = live
    return sync, async_


@cython.final
@cython.freelist(8)
cdef class Recorder:
    """Calls the sync receivers of a send that a known wrapper may record.

    Makes `pure.Recorder` fast: it asks the wrapper only once a call is being recorded.
    """

    cdef object signal
    cdef object cached_caller
    cdef bint is_asked

    def __cinit__(self, signal):
        self.signal = signal

    cpdef object caller(self):
        """Return the function that calls the next receiver, or None. Makes `pure.Recorder.caller` fast."""
        if not is_recording():
            return None
        if not self.is_asked:
            self.cached_caller = merged_config_now().wrapper.caller(self.signal)
            self.is_asked = True
        return self.cached_caller


cdef PyObject *call_recorded(Slots *slots, PyObject *receiver, PyObject *names, recorder) except NULL:
    """Call a receiver by its recorder's caller, if there is one, and return a new reference to its response.

    Makes `pure.call_recorded` fast, by an array of arguments.
    """
    caller = (<Recorder>recorder).caller()
    if caller is None:
        return call(receiver, slots.arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, names)
    (slots.arguments - 1)[0] = receiver
    return call(<PyObject *>caller, slots.arguments - 1, 1, names)


cdef inline bint is_recording() except -1:
    """Return whether a scope of this context has a span that may be sent. Makes `pure.is_recording` fast."""
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
    """Return whether a scope has a span that may be sent."""
    span = scope._span
    if span is None:
        return False
    recorded = getattr(span, "containing_transaction", span)
    return recorded is not None and recorded.sampled is not False


def has_no_receivers(signal, sender):
    """Return whether a sender has no receivers, and the signal's cache says so. Makes `pure.has_no_receivers` fast."""
    return has_none(signal, sender, None)


cdef bint has_none(signal, sender, RoutingTable table) except -1:
    """Like has_no_receivers(), given the signal's routing table if it is known to be right, or None."""
    no_receivers = merged_config_now().no_receivers
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
    """Store in a signal's cache that a sender has no receivers. Makes `pure.store_no_receivers` fast."""
    no_receivers = merged_config_now().no_receivers
    if no_receivers is None or not getattr(signal, "use_caching", False):
        return 0
    try:
        if signal.sender_receivers_cache.get(sender) is not no_receivers:
            under_lock(signal, False, store_no_receivers_locked, signal, sender, table.snapshot, no_receivers)
    except Exception:
        pass
    return 0
