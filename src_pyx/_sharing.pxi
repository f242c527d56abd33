"""How threads share what the compiled code keeps, without the GIL: a part of compiled.pyx, which includes it.

The table names everything that several threads can reach, and what protects it. An access that the table does not
allow is a defect. "Section" is short for critical section; "CPython" means that a call of CPython's C API locks by
itself, for one operation.

what                                          read and written by             protected by
--------------------------------------------  ------------------------------  -----------------------------------------
SignalBase: entries, table, keys, callback,   sends; connect, disconnect,     the signal's section
  table_is_valid, list_escaped, has_dead          sweeps; weak references' deaths
the pointer to a signal's __dict__            sends; CPython                  atomic
the items of __dict__; Django's signals have  sends; anybody                  CPython; get() takes a reference
  their list, their table and flags there
the items of a signal's list                  sends; connect, disconnect;     the list's section, which list() and
                                              anybody, once it is given out   append() enter by themselves
the signal's lock                             connect, disconnect, sweeps     an RLock: taken before sections, and not
                                                                              waited for by a send
Keys: entries (the reference), is_usable      connect, disconnect, sends      not changed once made
Keys: the items of entries                    connect, disconnect; same(),    written under the signal's lock and in the
                                              which sends call too            list's section, read under either of them
Keys: hashes, capacity                            connect, disconnect             the signal's lock
RoutingTable: own_class, wrapped_class        sends                           atomic
RoutingTable: names_in, names_nargs,          sends                           the GIL; without it they are not used
  sender_at, names_out
RoutingTable: all else                        sends                           not changed once a signal has the table
what weak references refer to                 sends; CPython                  CPython; new_referent() takes a reference
View, Slots, Chain, Recorder                  one send                        no other thread has them

is_interception_off                           sends;                          atomic
                                              enable_interception()
interception                                  sends;                          the section of INTERCEPTION
                                              enable_interception()
Interception: all of it                       sends;                          not changed once it is in `interception`
                                              enable_interception()
interceptor_set                               enable_interception();          written while csignals is imported
                                              set_interceptor()
send_class, call_class                        sends that record;              written once, in the section of
                                              enable_interception()           INTERCEPTION, before a trace is active
descriptions, class_names,                    sends that record; Python       CPython; get() takes a reference
  Interception.watched
others_classes                                sends                           atomic: a number that is lost costs time
signal_class, the PyMethodDefs, TEXTS         sends; methods(), define()      written while csignals is imported
merged_config, scopes (the references)            sends; methods()                the section of CONFIGS
MergedConfig: all of it                           sends                           not changed once it is in `merged_config`
DispatchConfig by class, in common.py         sends; install()                CPython; a DispatchConfig is not changed

context variables                             sends; who opens a block        CPython; a thread has its context alone
Frame: call                                   sends in the context, and in    the frame's section
                                              copies of it in other threads
Frame: context                                the same                        written before the context can be copied
SendBase: frame, before                       the sending thread              no other thread asks for them
SendBase, CallBase: what open() and begin()   sends; readers of the trace     written before a trace has the call
  set alone
SendBase, CallBase: all else                  sends; readers of the trace     the record's section
TraceBase: has_opened                         sends; who opens and closes it  atomic
TraceBase: the items of calls                 sends; fold(); readers          CPython
TraceBase: calls (the reference),             the same                        not changed once made
  max_records

a class's version                             sends; CPython                  atomic
a class's attributes                          sends; anybody                  CPython; compared, not used
a class's tp_getattro; a function's __code__  sends; connect; anybody         nothing: as in CPython 3.13 itself
the dict of a function's attributes           connect; anybody                the function's section

A thread that waits for a section leaves those that it is in. So nothing counts on a section after it has entered
another one, or called what may; where two are wanted, they are entered together. What was replaced in a section is let
go of outside, as that may run anything, and receivers are called outside. No section is entered for long: each thread
that would enter waits there for the one that is in. So where nobody else has had the list, one comparison serves all
sends until the list changes.

ThreadSanitizer sees what is not so (`nox -s thread_sanitizer`), and CSIGNALS_CHECK_LOCKS checks each look at a list's
items. With the GIL, sections and atomic accesses are nothing, and a send borrows what it sees (_view.pxi).
"""

cdef RoutingTable shared_table(self, bint any_chooser):
    """Return the signal's routing table, for what `receivers` holds now.

    Unless it is wanted `any_chooser` signals, return None where another ``_live_receivers`` says who receives, or where
    `receivers` is no list, as a send asks first whether it is empty.
    """
    cdef RoutingTable table = None
    cdef bint has_dead = True
    cdef bint is_same = False
    cdef bint list_escaped = True
    receivers = None
    if not is_base(self):
        attributes = <dict>PyObject_GenericGetDict(self, NULL)
        receivers = get(attributes, RECEIVERS)
        dead = get(attributes, DEAD_RECEIVERS)
        has_dead = is_flagged(<PyObject *>dead)
        known = get(attributes, TABLE)
        table = <RoutingTable>known if type(known) is RoutingTable else None
        if not any_chooser and LIVE_RECEIVERS in attributes:
            return None
    else:
        with cython.critical_section(self):
            table = (<SignalBase>self).table
            has_dead = (<SignalBase>self).has_dead
            is_same = (<SignalBase>self).table_is_valid
            if not is_same:
                list_escaped = (<SignalBase>self).list_escaped
                receivers = (<SignalBase>self).entries
        if not any_chooser and has_dict(self) and LIVE_RECEIVERS in <dict>PyObject_GenericGetDict(self, NULL):
            return None
    if not any_chooser and chooser_of_class(Py_TYPE(self), table) > WRAPPER:
        return None
    if not any_chooser and not is_same and type(receivers) is not list:
        return None
    if table is None or has_dead or (any_chooser and not reads_plainly(Py_TYPE(self))):
        return new_table(self)
    if not is_same and PyList_CheckExact(<PyObject *>receivers):
        if list_escaped:
            with cython.critical_section(receivers):
                is_same = table.same(<PyObject *>receivers)
        else:
            is_same = validate_table(<SignalBase>self, table, receivers)
        if is_same and is_base(self) and has_old_keys(<SignalBase>self):
            return new_table(self)      # which lets go of them
    return table if is_same else new_table(self)


cdef inline bint validate_table(SignalBase signal, RoutingTable table, receivers) noexcept:
    """Return whether the table is that of the list, and note it for the next sends unless others can have the list."""
    with cython.critical_section(signal, receivers):
        if not table.same(<PyObject *>receivers):
            return False
        signal.table_is_valid = not signal.list_escaped and signal.entries is receivers and signal.table is table
        return True


cdef inline object entries_of(SignalBase signal):
    """Return what the signal's `receivers` is. To be looked at, and no more, as the signal is to go on knowing it."""
    with cython.critical_section(signal):
        return signal.entries


cdef inline bint may_have_dead(SignalBase signal) noexcept:
    with cython.critical_section(signal):
        return signal.has_dead


cdef inline int flag_dead(SignalBase signal) noexcept:
    with cython.critical_section(signal):
        signal.has_dead = True
    return 0


cdef inline Keys kept_keys(SignalBase signal):
    with cython.critical_section(signal):
        return signal.keys


cdef inline Keys exchanged_keys(SignalBase signal, Keys keys):
    """Have the signal keep these keys, and return those that it kept. To be called under the signal's lock."""
    with cython.critical_section(signal):
        keys, signal.keys = signal.keys, keys
    return keys
