"""Interception: what sends ask while a mute, capture or trace is active, or a receiver is watched.

Here is whether sends ask the interceptor, and which traces are active for a send. The interceptor itself is in
csignals/_interception.py, in Python. How calls are recorded is in _tracing.pxi.
"""

# Whether interception is disabled. This flag is all that a send then reads of interception. (The opposite flag would be
# slower: compilers keep a value that is known to be zero in a register, which the send needs.)
cdef unsigned int is_interception_off = True

cdef type send_class    # of records: csignals.tracing.records.SendRecord
cdef type call_class


@cython.auto_pickle(False)
@cython.final
cdef class Interception:
    """The interceptor and the process's scopes while interception is enabled. Replaced, never changed."""

    cdef object interceptor     # a csignals._dispatch.protocols.Interceptor; the fields below are copied from it
    cdef object context_scopes
    cdef tuple process_traces
    cdef bint has_process_scopes    # other than traces
    cdef dict watched


cdef Interception interception = None
cdef object INTERCEPTION = object()     # `interception` is replaced in its critical section


def enable_interception(bint is_enabled):
    """Have sends ask the interceptor, or ask it no longer.

    Makes `pure.enable_interception` fast: it copies what each send would read of the interceptor into C.
    """
    global interception, send_class, call_class
    cdef Interception following = None
    cdef type sends = None, calls = None
    pure.enable_interception(is_enabled)
    if is_enabled:
        interceptor = pure.interceptor
        following = Interception.__new__(Interception)
        following.interceptor = interceptor
        following.context_scopes = interceptor.context_scopes
        mutes, captures, traces = interceptor.process_scopes()
        following.process_traces = traces
        following.has_process_scopes = bool(mutes or captures)
        following.watched = interceptor.watched
        classes = interceptor.record_classes()
        if classes is not None:
            sends, calls = classes
    with cython.critical_section(INTERCEPTION):
        if sends is not None and send_class is None:
            send_class, call_class = sends, calls
        following, interception = interception, following
    store(&is_interception_off, not is_enabled)


cdef inline bint is_interception_off_now() noexcept:
    return is_set(load(&is_interception_off))


cdef inline Interception interception_now():
    with cython.critical_section(INTERCEPTION):
        return interception


cdef bint is_watched(dict watched, self, sender) except -1:
    if not watched:
        return False
    senders = get(watched, PyLong_FromVoidPtr(<void *>self))
    # make_id() of a bound method is not its address. Few senders are bound methods, so all of them count as watched.
    return senders is not None and (
        bool(get(<dict>senders, NONE_ID)) or bool(get(<dict>senders, PyLong_FromVoidPtr(<void *>sender)))
        or PyMethod_Check(sender)
    )


cdef tuple active_traces(Interception active, self, sender):
    """Return references to the traces that are active for a send, or None where Python must do the send.

    Python must where a mute or capture matches the send, or the send could reach a watched receiver.
    """
    cdef tuple mutes, captures, traces
    mutes, captures, traces = <tuple?>value_of(active.context_scopes)
    if (
        mutes or captures or active.has_process_scopes or is_watched(active.watched, self, sender)
    ) and active.interceptor.needs_more_than_traces(self, sender):
        return None
    if active.process_traces:
        traces += active.process_traces
    # Before the first trace there are no classes of records, but the context variable may have been set to anything.
    return None if traces and send_class is None else traces
