"""The methods of a signal: makes the section of this name in csignals/_dispatch/pure.py fast.

Here are ``has_listeners``, ``send`` and ``send_robust`` with the hot loop, dispatch_by() and call_each(). The functions
before them choose the path of a send; dispatch_rare() is the slow path. The async methods are in
csignals/_dispatch/awaiting.py.
"""


cdef object fast_has_listeners(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    """Makes `pure.has_listeners` fast, by the routing table."""
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
    """Like fast_has_listeners(), where an override or an unknown wrapper may choose the receivers."""
    if is_others_class(Py_TYPE(self)) or find_chooser(self, kept_table(self)) == OTHERS:
        sync, async_ = ask_live(self, sender)
    else:
        sync, async_ = live_of_table(self, sender)
    return bool(sync) or bool(async_)


cdef object fast_send(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    """Makes `pure.send` fast, by dispatch()."""
    return dispatch(self, args, nargs, names, False)


cdef object fast_send_robust(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    """Makes `pure.send_robust` fast, by dispatch()."""
    return dispatch(self, args, nargs, names, True)


cdef inline object dispatch(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust):
    if is_interception_off_now():
        return dispatch_recorded(self, args, nargs, names, robust, <PyObject *>NULL)
    return dispatch_intercepted(self, args, nargs, names, robust)


cdef object dispatch_intercepted(self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust):
    """Send while interception is enabled."""
    cdef Py_ssize_t sender_at = find_sender(names, nargs)
    cdef Interception active = interception_now()
    if active is None:      # another thread is disabling it
        return dispatch_recorded(self, args, nargs, names, robust, <PyObject *>NULL)
    traces = None if sender_at < 0 else active_traces(active, self, <object>args[sender_at])
    if traces is None:
        return call_python(python_send(config_of(self), robust), self, args, nargs, names)
    return dispatch_recorded(self, args, nargs, names, robust, <PyObject *>traces if traces else NULL)


cdef inline object dispatch_recorded(
    self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust, PyObject *traces
):
    """Send, and record the calls in `traces` unless that is NULL."""
    cdef Py_ssize_t sender_at
    cdef View view
    cdef RoutingTable table
    cdef int chooser
    if IS_FREE_THREADED:
        table = shared_table(self, False)
        if table is None:
            return dispatch_rare(self, args, nargs, names, robust, traces, None, UNKNOWN)
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
    return dispatch_rare(self, args, nargs, names, robust, traces, None, UNKNOWN)


cdef object dispatch_by_others(
    RoutingTable table, self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust, PyObject *traces,
    int chooser
):
    """Send where a wrapper or an override chooses the receivers, or where find_chooser() must find out."""
    if chooser == WRAPPER:
        return dispatch_by(table, self, args, nargs, names, robust, traces, WRAPPER)
    return dispatch_rare(self, args, nargs, names, robust, traces, table, chooser)


cdef inline object dispatch_by(
    RoutingTable table, self, PyObject *const *args, Py_ssize_t nargs, PyObject *names, bint robust, PyObject *traces,
    int chooser
):
    """Send to the receivers in the signal's routing table."""
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
    """Send where the Python implementation must handle the arguments, or ``_live_receivers`` may have to be called."""
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
    if chooser == UNKNOWN:
        chooser = find_chooser(self, kept_table(self) if table is None else table)
    if chooser == OTHERS or traces != NULL:
        if has_none(self, sender, table):
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
        set_arguments(&slots, self, args, sender_at, <PyObject *>names_out)
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
    set_arguments(slots, self, args, sender_at, names)
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
    """Like call_each(), and do the work of the known wrapper of ``_live_receivers`` around each call."""
    recorder = Recorder(self)
    return call_each(slots, self, args, sender_at, <PyObject *>names, robust, NULL, <PyObject *>recorder)


cdef list call_each_recorded(
    Slots *slots, self, PyObject *const *args, Py_ssize_t sender_at, tuple names, bint robust, tuple traces
):
    """Like call_each(), and record the calls in `traces`."""
    record = new_send(self, <object>args[sender_at], traces)
    try:
        return call_each(slots, self, args, sender_at, <PyObject *>names, robust, <PyObject *>record, NULL)
    finally:
        close_send(record)


cdef inline void set_arguments(
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
        response = (<RecordedCall>call_recorded)(slots, receiver, names, <object>recorder)
        if response == NULL and not robust:
            return NULL
    elif not robust:
        return call(receiver, slots.arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, names)
    else:
        response = PyObject_Vectorcall(receiver, slots.arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, names)
    return response if response != NULL else logged_failure(self, <object>receiver)


cdef PyObject *logged_failure(self, receiver) except NULL:
    """Log the Exception that is raised, and return a new reference to it. Any other BaseException propagates."""
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


def call_all(signal, receivers, sender, dict named):
    """Call receivers, and return the pairs (receiver, result): the result of an async one is an awaitable.

    Makes `pure.call_all` fast, by one array of arguments for all calls.
    """
    cdef Slots slots
    if SIGNAL in named or SENDER in named:      # raises a TypeError
        return pure.call_all(signal, receivers, sender, named)
    named = dict(named)     # receivers may change the caller's dict through their frames
    names = (SIGNAL, SENDER, *named)
    open_slots(&slots, len(names), 0)
    try:
        slots.arguments[0] = <PyObject *>signal
        slots.arguments[1] = <PyObject *>sender
        for i, value in enumerate(named.values()):
            slots.arguments[i + 2] = <PyObject *>value
        # No comprehension: without memory to append an item, Cython's frees the item twice.
        responses = []
        for receiver in receivers:
            response = called(<PyObject *>receiver, slots.arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, <PyObject *>names)
            responses.append((receiver, response))
        return responses
    finally:
        close_slots(&slots)
