"""What a signal keeps for the engine: a part of compiled.pyx, which includes it."""


@cython.auto_pickle(False)     # see Signal.__getstate__
cdef class SignalBase:
    """What a signal keeps, in C slots. The class over it is Python's, so that it can be patched and subclassed."""

    cdef dict __dict__
    cdef object __weakref__
    cdef object entries     # what `receivers` is
    cdef RoutingTable table
    cdef Keys keys
    cdef bint table_is_valid    # the table is right, and nobody else has had the list since
    cdef bint list_escaped  # somebody else may have the list
    cdef bint has_dead      # a receiver or a sender may have died
    cdef object callback

    def __cinit__(self):
        self.entries = DELETED      # until __init__() is called, which a subclass may forget
        # Where CPython's LOAD_ATTR is quick with a method if the instance has no __dict__ yet, it starts without.
        if PREFERS_NO_DICT:
            clear(base_dict(self))

    @property
    def receivers(self):
        with cython.critical_section(self):
            receivers = self.entries
            self.table_is_valid = False
            self.list_escaped = True
        if receivers is DELETED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'receivers'")
        return receivers

    @receivers.setter
    def receivers(self, receivers):
        with cython.critical_section(self):
            self.table_is_valid = False
            self.list_escaped = True
            receivers, self.entries = self.entries, receivers   # what it was is let go of at the end

    @receivers.deleter
    def receivers(self):
        self.receivers      # if there are any
        self.receivers = DELETED

    @property
    def _dead_receivers(self):
        return may_have_dead(self)

    @_dead_receivers.setter
    def _dead_receivers(self, bint has_dead):
        with cython.critical_section(self):
            self.has_dead = has_dead

    @property
    def _csignals_table(self):
        with cython.critical_section(self):
            return self.table

    @_csignals_table.setter
    def _csignals_table(self, RoutingTable table):
        with cython.critical_section(self):
            self.table_is_valid = False
            table, self.table = self.table, table

    @property
    def _csignals_callback(self):
        with cython.critical_section(self):
            return self.callback

    @_csignals_callback.setter
    def _csignals_callback(self, callback):
        with cython.critical_section(self):
            callback, self.callback = self.callback, callback


def put_receivers(signal, receivers):
    if not is_base(signal) or not reads_plainly(Py_TYPE(signal)):
        return pure.put_receivers(signal, receivers)
    with cython.critical_section(signal):
        (<SignalBase>signal).table_is_valid = False
        (<SignalBase>signal).list_escaped = False
        receivers, (<SignalBase>signal).entries = (<SignalBase>signal).entries, receivers   # which may be anything


cdef RoutingTable new_table(self):
    if self._dead_receivers:
        sweep(self)
    receivers = entries_of(self) if is_base(self) and reads_plainly(Py_TYPE(self)) else None
    if type(receivers) is not list:
        receivers = self.receivers
    table = RoutingTable(receivers if type(receivers) is list else list(receivers or ()))
    table.is_direct = not table.has_async and not keeps_frame(self)
    if isinstance(self, SignalBase):
        (<SignalBase>self)._csignals_table = table
        forget_old_keys(<SignalBase>self)
    else:
        store_table(self, table)
    return table


cdef bint keeps_frame(self) noexcept:
    cdef tuple framed = merged_config_now().framed
    for i in range(PyTuple_GET_SIZE(<PyObject *>framed)):
        if PyTuple_GET_ITEM(<PyObject *>framed, i) == <PyObject *>self:
            return True
    return False
