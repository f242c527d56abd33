"""A signal's state: makes the section of this name in csignals/_dispatch/pure.py fast.

Here are the base class of csignals' own signals, and the making of a signal's routing table. Django's signals have
their state in their __dict__. What protects the state from other threads is in _sharing.pxi.
"""


@cython.auto_pickle(False)     # see Signal.__getstate__
cdef class SignalBase:
    """Per-signal dispatch state. Makes `pure.SignalBase` fast, by fields of a C struct.

    Signal, which inherits from it, is a Python class, so that it can be patched and subclassed.
    """

    cdef dict __dict__
    cdef object __weakref__
    cdef object entries     # the value of `receivers`
    cdef RoutingTable table
    cdef Keys keys
    cdef bint table_is_valid    # the table is right, and no other code has had the list since
    cdef bint list_escaped  # other code may have the list
    cdef bint has_dead      # a receiver or a sender may have died
    cdef object callback

    def __cinit__(self):
        self.entries = DELETED      # until __init__() is called, which a subclass may forget
        # Since 3.12, LOAD_ATTR finds a method faster while the instance has no __dict__.
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
            receivers, self.entries = self.entries, receivers   # the old value is freed at the end

    @receivers.deleter
    def receivers(self):
        self.receivers      # raises AttributeError if there are none
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
    """Give a signal a list that nothing else refers to.

    Makes `pure.put_receivers` fast: later sends need not compare the list.
    """
    if not is_base(signal) or not reads_plainly(Py_TYPE(signal)):
        return pure.put_receivers(signal, receivers)
    with cython.critical_section(signal):
        (<SignalBase>signal).table_is_valid = False
        (<SignalBase>signal).list_escaped = False
        # The old value is freed at the end.
        receivers, (<SignalBase>signal).entries = (<SignalBase>signal).entries, receivers


cdef RoutingTable new_table(self):
    """Make and store a signal's routing table, without dead entries."""
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
    """Return whether a signal's ``send`` runs in Python: see DispatchConfig.keep_frames."""
    cdef tuple framed = merged_config_now().framed
    for i in range(PyTuple_GET_SIZE(<PyObject *>framed)):
        if PyTuple_GET_ITEM(<PyObject *>framed, i) == <PyObject *>self:
            return True
    return False
