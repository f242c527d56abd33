"""How a signal is read while other threads change it, without the GIL: a part of _dispatch_c.pyx, which includes it.

What a signal keeps in C slots is read and replaced in the signal's own critical section, and its list changed there.
Whatever is found is held by a reference of one's own, which is let go of outside, as that may run anything. A routing
table is never changed, so it needs no more than that; the keys are used under the signal's lock. Where somebody else
has had the list, and so may change it at any time, it is compared in its own critical section; as each thread that
would enter waits there for the one that is in, sends go without that as long as they can.
With the GIL, critical sections are nothing, and a send borrows what it sees (_view.pxi).
"""

cdef RoutingTable shared_table(self, bint for_all):
    """Return the signal's routing table, for what `receivers` holds now.

    Unless it is wanted `for_all` signals, return None where another ``_live_receivers`` says who receives, or where
    `receivers` is no list, as a send asks first whether it is empty.
    """
    cdef RoutingTable table = None
    cdef bint has_dead = True
    cdef bint is_same = False
    cdef bint is_given_out = True
    receivers = None
    if not is_base(self):
        attributes = <dict>PyObject_GenericGetDict(self, NULL)
        receivers = get(attributes, RECEIVERS)
        dead = get(attributes, DEAD_RECEIVERS)
        has_dead = is_said(<PyObject *>dead)
        known = get(attributes, TABLE)
        table = <RoutingTable>known if type(known) is RoutingTable else None
        if not for_all and LIVE_RECEIVERS in attributes:
            return None
    else:
        with cython.critical_section(self):
            table = (<SignalBase>self).table
            has_dead = (<SignalBase>self).has_dead
            is_same = (<SignalBase>self).is_settled
            if not is_same:
                is_given_out = (<SignalBase>self).is_given_out
                receivers = (<SignalBase>self).entries
        if not for_all and has_dict(self) and LIVE_RECEIVERS in <dict>PyObject_GenericGetDict(self, NULL):
            return None
    if not for_all and has_other_class(Py_TYPE(self), table):
        return None
    if not for_all and not is_same and type(receivers) is not list:
        return None
    if table is None or has_dead or (for_all and not reads_plainly(Py_TYPE(self))):
        return new_table(self)
    if not is_same and PyList_CheckExact(<PyObject *>receivers):
        if is_given_out:
            with cython.critical_section(receivers):
                is_same = table.same(<PyObject *>receivers)
        else:
            is_same = has_settled(<SignalBase>self, table, receivers)
        if is_same and is_base(self) and has_old_keys(<SignalBase>self):
            return new_table(self)      # which lets go of them
    return table if is_same else new_table(self)


cdef inline bint has_settled(SignalBase signal, RoutingTable table, receivers) noexcept:
    """Return whether this is the table of a list that nobody else has, and have the next send know if it still is."""
    with cython.critical_section(signal, receivers):
        if not table.same(<PyObject *>receivers):
            return False
        signal.is_settled = not signal.is_given_out and signal.entries is receivers and signal.table is table
        return True


def put_receivers(signal, receivers):
    if not is_base(signal) or not reads_plainly(Py_TYPE(signal)):
        return _dispatch_py.put_receivers(signal, receivers)
    with cython.critical_section(signal):
        (<SignalBase>signal).is_settled = False
        (<SignalBase>signal).is_given_out = False
        receivers, (<SignalBase>signal).entries = (<SignalBase>signal).entries, receivers   # which may be anything


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
