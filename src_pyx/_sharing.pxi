"""How threads share what the compiled code keeps, without the GIL. The specification has no such section.

The table names everything that several threads can reach, and what protects it. An access that the table does not
allow is a defect. "Section" is short for critical section. "CPython" means that a call of CPython's C API locks by
itself, for one operation.

what                                          read and written by             protected by
--------------------------------------------  ------------------------------  ------------------------------------------
SignalBase: entries, table, keys, callback,   sends; connect, disconnect,     the signal's section
  table_is_valid, list_escaped, has_dead      sweeps; weak references' deaths
the pointer to a signal's __dict__            sends; CPython                  atomic
the items of __dict__; Django's signals have  sends; a program                CPython; get() takes a reference
  their list, table and flags there
the items of a signal's list                  sends; connect, disconnect;     the list's section, which list() and
                                              a program, once list_escaped    append() enter themselves
the signal's lock                             connect, disconnect, sweeps     an RLock: taken before sections; a send
                                                                              does not wait for it
Keys: entries (the reference), is_usable      connect, disconnect, sends      not changed once made
Keys: the items of entries                    connect, disconnect; same(),    written under the signal's lock and in
                                              which sends call too            the list's section, read under one of them
Keys: hashes, capacity                        connect, disconnect             the signal's lock
RoutingTable: own_class, wrapped_class        sends                           atomic
RoutingTable: names_in, names_nargs,          sends                           the GIL; without it they are not used
  sender_at, names_out
RoutingTable: all else                        sends                           not changed once a signal has the table
the referents of weak references              sends; CPython                  CPython; new_referent() takes a reference
View, Slots, Chain, Recorder                  one send                        no other thread has them

is_interception_off                           sends; enable_interception()    atomic
interception                                  sends; enable_interception()    the section of INTERCEPTION
Interception: all fields                      sends; enable_interception()    not changed once it is in `interception`
send_class, call_class                        sends that record;              written once, in the section of
                                              enable_interception()           INTERCEPTION, before a trace is active
descriptions, class_names,                    sends that record; Python       CPython; get() takes a reference
  Interception.watched
others_classes                                sends                           atomic: a lost number costs only time
signal_class, the PyMethodDefs, TEXTS         sends; methods(), define()      written while csignals is imported
merged_config (the reference)                 sends; methods()                the section of CONFIGS
scopes (the reference)                        sends; find_chooser()           the section of CONFIGS
MergedConfig: all fields                      sends; methods()                not changed once it is in `merged_config`
DispatchConfig by class, in common.py         sends; methods()                CPython; a DispatchConfig is not changed

context variables                             sends; code that opens a scope  CPython; each thread has its own context
current_frame (the value), Frame: call        sends in the context, and in    the value: CPython; call: the frame's
                                              copies of it in other threads   section
Frame: context                                the same                        written before the context can be copied
SendBase: frame, before                       the sending thread              no other thread reads them
SendBase, CallBase: the fields that only      sends; readers of the trace     written before a trace has the call
  begin() sets
SendBase, CallBase: all other fields          sends; readers of the trace     the record's section
TraceBase: has_opened                         sends; code that opens and      atomic
                                              closes the trace
TraceBase: the items of calls                 sends; fold(); readers          CPython
TraceBase: calls (the reference),             the same                        not changed once made
  max_records

a class's version                             sends; CPython                  atomic
a class's attributes                          sends; a program                CPython; compared, not used
a class's tp_getattro; a function's __code__  sends; connect; a program       nothing: as in CPython 3.13 itself
the dict of a function's attributes           connect; a program              the function's section

A thread that waits for a section leaves the sections that it is in. So code must not rely on a section after it enters
another one, or makes a call that may; where two sections are needed, they are entered together. A value that was
replaced in a section is freed outside, as finalizers may run, and receivers are called outside. Code stays in a section
only for a moment, as all threads that want to enter it wait. So where no other code has had the list, one comparison
serves all sends until the list changes.

ThreadSanitizer finds accesses that break these rules (`nox -s thread_sanitizer`), and CSIGNALS_CHECK_LOCKS checks each
access to a list's items. With the GIL, sections and atomic accesses cost nothing, and a send borrows references
(_view.pxi).
"""

cdef RoutingTable shared_table(self, bint any_chooser):
    """Return a signal's routing table, right for the present content of `receivers`.

    Without `any_chooser`, return None where an override or an unknown wrapper chooses the receivers, or where
    `receivers` is not a list: the caller must first test whether it is empty.
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
            return new_table(self)      # which drops them
    return table if is_same else new_table(self)


cdef inline bint validate_table(SignalBase signal, RoutingTable table, receivers) noexcept:
    """Return whether the table is right for the list, and remember that unless other code has the list."""
    with cython.critical_section(signal, receivers):
        if not table.same(<PyObject *>receivers):
            return False
        signal.table_is_valid = not signal.list_escaped and signal.entries is receivers and signal.table is table
        return True


cdef inline object entries_of(SignalBase signal):
    """Return the value of a signal's `receivers`. Not for other code: the list does not count as escaped."""
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
    """Replace a signal's keys, and return the old ones. Call it under the signal's lock."""
    with cython.critical_section(signal):
        keys, signal.keys = signal.keys, keys
    return keys
