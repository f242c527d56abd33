"""What a trace records: makes csignals/_dispatch/pure_records.py fast.

Here are the records of sends and calls, and the call of a receiver that is recorded. Which sends are recorded is in
_interception.pxi; what users read of a trace is in csignals/tracing, in Python.
"""

cdef dict descriptions = naming.descriptions.known
cdef dict class_names = naming.class_names.known


cdef inline object value_of(variable):
    """Return the value of a context variable that has a default."""
    cdef PyObject *value
    PyContextVar_Get(variable, NULL, &value)
    result = <object>value
    Py_XDECREF(value)
    return result


cdef inline object referent(reference):
    cdef PyObject *value
    if not PyWeakref_CheckRefExact(<PyObject *>reference):
        raise TypeError("traces must be a tuple of weakref.ref objects")
    value = new_referent(<PyObject *>reference)
    if value == NULL:
        return None
    result = <object>value
    Py_XDECREF(value)
    return result


@cython.auto_pickle(False)
@cython.final
cdef class Frame:
    """Holds the current call of a context. To change it in place takes a tenth of setting a context variable.

    A copy of the context refers to the same frame. Only the context that owns the frame may change it.
    """
    cdef CallBase call      # in the frame's critical section, as another thread may have a copy of the context
    cdef void *context      # the address of the owner; a new context at a freed one's address owns its frame


cdef object current_frame = ContextVar("csignals_frame", default=None)


cdef inline CallBase call_of(Frame frame):
    with cython.critical_section(frame):
        return frame.call


cdef inline int put_call(Frame frame, CallBase call) except -1:
    with cython.critical_section(frame):
        call, frame.call = frame.call, call     # the old value is freed at the end
    return 0


cdef Frame own_frame():
    cdef Frame frame = value_of(current_frame)
    if frame is None or frame.context != current_context():
        frame = new_frame(None if frame is None else call_of(frame))
        frame.context = current_context()
    return frame


cdef Frame new_frame(CallBase call):
    cdef Frame frame = Frame.__new__(Frame)
    frame.call = call
    set_value(current_frame, frame)
    return frame


def enter(CallBase call):
    """Make a call of a receiver the current one of this context, and return what leave() takes.

    Makes `pure_records.enter` fast. For coroutines, whose steps interleave: so by a frame of its own.
    """
    frame = value_of(current_frame)
    new_frame(call)
    return frame


def leave(Frame before):
    """Make the call before enter() the current one again. Makes `pure_records.leave` fast."""
    set_value(current_frame, before)


cdef inline CallBase under_way(CallBase call):
    """Return the innermost call that has not ended. Makes `pure_records.under_way` fast."""
    while call is not None and has_ended(call):
        call = parent_of(call.send)
    return call


cdef inline bint has_ended(CallBase call) noexcept:
    with cython.critical_section(call):
        return call.ended_ns != 0


cdef inline CallBase parent_of(SendBase send):
    with cython.critical_section(send):
        return send.parent_call


cdef inline tuple traces_of(SendBase send):
    with cython.critical_section(send):
        return send.trace_refs


@cython.auto_pickle(False)
cdef class SendBase:
    """A send that reached receivers. Makes `pure_records.SendBase` fast, by fields of a C struct."""

    cdef readonly object signal
    cdef readonly object sender
    # The fields below change: they are read and replaced in the send's critical section.
    cdef int64_t started_ns
    cdef int64_t ended_ns
    cdef tuple trace_refs
    cdef CallBase parent_call
    cdef int running        # the number of calls that have not ended
    cdef Frame frame        # where a sync send sets its current call
    cdef CallBase before    # the frame's call before the send

    def __init__(self, signal, sender, tuple traces):
        self.begin(signal, sender, traces)

    @property
    def start_ns(self):
        with cython.critical_section(self):
            return self.started_ns

    @property
    def end_ns(self):
        with cython.critical_section(self):
            return self.ended_ns

    @property
    def traces(self):
        return traces_of(self)

    @property
    def parent(self):
        return parent_of(self)

    cdef int begin(self, signal, sender, tuple traces) except -1:
        self.signal = signal
        self.sender = sender_name(sender)
        self.trace_refs = traces
        frame = value_of(current_frame)
        self.parent_call = None if frame is None else under_way(call_of(<Frame?>frame))
        return 0

    def close(self, bint may_go_on=False):
        """Stop counting nested time in the enclosing call. Makes `pure_records.SendBase.close` fast, by finish()."""
        self.finish(may_go_on)

    def let_go(self):
        """Forget the enclosing call once the send is over. Makes `pure_records.SendBase.let_go` fast."""
        parent = None
        with cython.critical_section(self):
            if not self.trace_refs:
                parent, self.parent_call = self.parent_call, None

    cdef int finish(self, bint may_go_on) except -1:
        cdef CallBase parent = parent_of(self)
        cdef int64_t end_ns = 0
        traces = ()
        with cython.critical_section(self):
            if self.started_ns:
                end_ns = perf_counter_ns() if self.running else self.ended_ns
            if not may_go_on:
                traces, self.trace_refs = self.trace_refs, traces
        if parent is not None and end_ns:
            parent.nested(-1, end_ns)
        return 0


@cython.auto_pickle(False)
@cython.no_gc_clear     # callbacks of weak references may end a call that gc has cleared
cdef class CallBase:
    """A call of a receiver. Makes `pure_records.CallBase` fast, by fields of a C struct."""

    cdef readonly SendBase send
    cdef readonly object description
    cdef readonly bint is_async
    cdef readonly unsigned long thread
    # The fields below change while a trace has the call: they are read and replaced in the call's critical section.
    cdef int64_t started_ns
    cdef int64_t ended_ns
    cdef int64_t nested_so_far_ns
    cdef int64_t nested_since
    cdef int nested_sends
    cdef str raised

    def __init__(self, SendBase send not None, receiver, bint is_async=False):
        self.is_async = is_async
        self.begin(send, receiver)

    @property
    def start_ns(self):
        with cython.critical_section(self):
            return self.started_ns

    @property
    def end_ns(self):
        with cython.critical_section(self):
            return self.ended_ns

    @property
    def nested_ns(self):
        with cython.critical_section(self):
            return self.nested_so_far_ns

    @property
    def exception(self):
        with cython.critical_section(self):
            return self.raised

    cdef int begin(self, SendBase send, receiver) except -1:
        cdef CallBase parent = None
        self.send = send
        self.description = description_of(receiver)
        self.thread = PyThread_get_thread_ident()
        for reference in traces_of(send):
            trace = referent(reference)
            if trace is not None:
                (<TraceBase?>trace).note(self)
        with cython.critical_section(send, self):
            send.running += 1
            self.started_ns = perf_counter_ns()
            if not send.started_ns:
                send.started_ns = self.started_ns
                parent = send.parent_call
        if parent is not None:
            parent.nested(1, self.started_ns)
        return 0

    def end(self, error=None):
        """End the call, with the exception that it raised. Makes `pure_records.CallBase.end` fast, by finish()."""
        if self.send is None:
            raise AttributeError("__init__() of this call has not run")
        self.finish(error)

    cdef int finish(self, error) except -1:
        cdef int64_t now = perf_counter_ns()
        with cython.critical_section(self.send):
            self.send.ended_ns = now
            self.send.running -= 1
        if error is not None:
            self.fail(type(error).__name__)
        with cython.critical_section(self):
            if self.nested_sends:
                self.count_nested(-self.nested_sends, now)
            self.ended_ns = now
        if error is not None:
            self.fail(describe_exception(error))
        return 0

    cdef void nested(self, int change, int64_t now) noexcept:
        """Count a nested send that begins (1) or ends (-1). Makes `pure_records.CallBase.nested` fast."""
        with cython.critical_section(self):
            self.count_nested(change, now)

    cdef inline void count_nested(self, int change, int64_t now) noexcept:
        if not self.ended_ns:
            if self.nested_sends == 0:
                self.nested_since = now
            self.nested_sends += change
            if self.nested_sends == 0:
                self.nested_so_far_ns += now - self.nested_since

    cdef int fail(self, str raised) except -1:
        with cython.critical_section(self):
            raised, self.raised = self.raised, raised
        return 0


cdef object description_of(receiver):
    """Return the description of a receiver. Makes `pure_records.description_of` fast."""
    function = <object>PyMethod_GET_FUNCTION(receiver) if PyMethod_Check(receiver) else receiver
    description = get(descriptions, PyLong_FromVoidPtr(<void *>function))
    return describe(receiver) if description is None else description


cdef object sender_name(sender):
    """Return the sender's name, as naming.describe_sender() returns it."""
    cdef PyObject *cls = <PyObject *>sender if PyType_Check(sender) else <PyObject *>Py_TYPE(sender)
    if sender is None:
        return None
    names = get(class_names, PyLong_FromVoidPtr(cls))
    return describe_sender(sender) if names is None else (<tuple>names)[<PyObject *>sender != cls]


@cython.auto_pickle(False)
cdef class TraceBase:
    """The list in which calls are recorded. Makes `pure_records.TraceBase` fast, by note()."""

    cdef object __weakref__
    cdef readonly list calls
    cdef unsigned int has_opened    # by load() and store(): a send reads it while another thread closes the trace
    cdef public Py_ssize_t max_records

    def __init__(self, Py_ssize_t max_records):
        self.calls = []
        self.max_records = max_records

    @property
    def is_open(self):
        return load(&self.has_opened) != 0

    @is_open.setter
    def is_open(self, bint is_open):
        store(&self.has_opened, is_open)

    cdef int note(self, CallBase call) except -1:
        """Add a call while the trace is open. Makes `pure_records.TraceBase.note` fast."""
        if load(&self.has_opened):
            self.calls.append(call)
            if PyList_GET_SIZE(<PyObject *>self.calls) > self.max_records:
                self.fold()
        return 0


cdef SendBase new_send(signal, sender, tuple traces):
    """Begin the record of a sync send."""
    cdef SendBase send = <SendBase>new_instance(<PyTypeObject *>send_class)
    send.begin(signal, sender, traces)
    send.frame = own_frame()
    send.before = call_of(send.frame)
    return send


cdef PyObject *new_recorded_response(
    self, PyObject *receiver, PyObject **arguments, PyObject *names, bint robust, SendBase send
) except NULL:
    """Call a receiver, record the call, and return a new reference to the response."""
    cdef PyObject *response
    cdef CallBase record = <CallBase>new_instance(<PyTypeObject *>call_class)
    record.begin(send, <object>receiver)
    enter_frame_of(send)
    put_call(send.frame, record)
    response = PyObject_Vectorcall(receiver, arguments, PY_VECTORCALL_ARGUMENTS_OFFSET, names)
    if response == NULL:
        return recorded_failure(self, <object>receiver, robust, record)
    record.finish(None)
    return response


cdef PyObject *recorded_failure(self, receiver, bint robust, CallBase record) except NULL:
    """Record the exception that is raised, then do the same as logged_failure()."""
    cdef PyObject *outer[3]
    cdef int status
    cdef bint is_logged = robust and PyErr_ExceptionMatches(Exception)
    error = handle(outer)
    status = (<Finish>finish)(record, error)
    if status == 0 and is_logged:
        status = (<Log>log_failure)(self, receiver, error)
    PyErr_SetExcInfo(outer[0], outer[1], outer[2])
    if status < 0:
        return NULL
    if not is_logged:
        set_raised(error)
        return NULL
    Py_XINCREF(<PyObject *>error)
    return <PyObject *>error


ctypedef int (*Finish)(CallBase, object) noexcept


cdef int finish(CallBase record, error) except -1:
    return record.finish(error)


cdef int close_send(SendBase send) except -1:
    enter_frame_of(send)
    put_call(send.frame, send.before)
    send.frame = send.before = None
    send.finish(False)
    return 0


cdef inline int enter_frame_of(SendBase send) except -1:
    """Set the context's frame to that of a send: asgiref may have set that of a task which it ran for a receiver."""
    if value_of(current_frame) is not send.frame:
        set_value(current_frame, send.frame)
    return 0
