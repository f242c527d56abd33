"""How a send reads its signal, csignals' own or Django's. The specification has no such section.

These functions decide whether a signal has a routing table, whether the table is right, and what chooses the receivers:
the table, a known wrapper or an override. Without the GIL, _sharing.pxi decides whether the table is right.
"""

cdef enum:
    # What chooses the receivers of a send: the signal's ``_live_receivers``.
    OWN         # csignals' method: the routing table has the receivers
    WRAPPER     # a known wrapper of csignals' method: the table has the receivers, and a Recorder calls them
    OTHERS      # an override or an unknown wrapper, which must be called
    UNKNOWN     # not remembered: find_chooser() finds out

cdef enum:
    REMEMBERED = 64     # more than a program has classes with an override or unknown wrapper

#: The versions of such classes, each at the index of its last bits. A version that is overwritten costs only time.
cdef unsigned int others_classes[REMEMBERED]


cdef struct View:
    # References borrowed from the signal: they are valid until other code may run. So used with the GIL only.
    bint is_base            # whether it is a SignalBase
    PyObject *attributes    # its __dict__, or NULL
    PyObject *receivers     # the value of `receivers`, mostly a list, or NULL
    bint has_dead           # whether a receiver or a sender may have died since the table was made
    PyObject *table         # the value of `_csignals_table`, or NULL


cdef inline bint is_base(self):
    cdef PyTypeObject *cls = Py_TYPE(self)
    # An instance that is smaller than the base class's is not an instance of it.
    return cls == signal_class or (
        cls.tp_basicsize >= (<PyTypeObject *>SignalBase).tp_basicsize and isinstance(self, SignalBase)
    )


cdef inline int read_receivers(self, View *view) except -1:
    """Fill in the first half of a view, which is enough for a send that finds the list empty."""
    view.is_base = is_base(self)
    if view.is_base:
        view.attributes = base_dict(self)[0]
        view.receivers = <PyObject *>(<SignalBase>self).entries
    else:
        attributes = PyObject_GenericGetDict(self, NULL)
        view.attributes = <PyObject *>attributes
        # Django's __init__ sets the attributes in a fixed order, and the table comes after them.
        view.receivers = item_at(view.attributes, <PyObject *>RECEIVERS, 0)
        if view.receivers == NULL:
            view.receivers = PyDict_GetItemWithError(attributes, RECEIVERS)
            if is_unshared(view.attributes):
                forget(view)
    return 0


cdef inline int read_table(self, View *view) except -1:
    """Fill in the second half of a view."""
    cdef PyObject *dead
    if view.is_base:
        view.has_dead = (<SignalBase>self).has_dead
        view.table = <PyObject *>(<SignalBase>self).table
    elif view.receivers == NULL:
        forget(view)
    else:
        dead = item_at(view.attributes, <PyObject *>DEAD_RECEIVERS, 4)
        view.has_dead = is_flagged(dead)
        view.table = item_at(view.attributes, <PyObject *>TABLE, 5)
        if dead == NULL or view.table == NULL:
            read_from_dict(view)
    return 0


cdef int read_from_dict(View *view) except -1:
    """Look up attributes that are not at their usual index. Keys that are not strings may run a program's code."""
    attributes = <dict>view.attributes
    receivers = <object>view.receivers
    table = attributes.get(TABLE)
    view.table = <PyObject *>table if table is not None else NULL
    view.has_dead = is_flagged(PyDict_GetItemWithError(attributes, DEAD_RECEIVERS))
    if is_unshared(view.attributes) or is_unshared(view.receivers) or is_unshared(<PyObject *>table):
        forget(view)    # the signal has dropped it meanwhile
    return 0


cdef inline bint is_flagged(PyObject *dead) noexcept:
    """Return whether a value of ``_dead_receivers``, or NULL, says that there may be dead receivers.

    The value is compared by its address alone: the reference may no longer be valid.
    """
    return dead != Py_False and dead != <PyObject *>None


cdef inline void forget(View *view) noexcept:
    """Reset a view whose references may no longer be valid."""
    view.attributes = view.receivers = view.table = NULL
    view.has_dead = True


cdef inline RoutingTable known_table(View *view):
    """Return the signal's routing table, which may be out of date, or None."""
    if view.table != NULL and type(<object>view.table) is RoutingTable:
        return <RoutingTable>view.table
    return None


cdef inline int chooser_of(self, View *view, RoutingTable table) except -1:
    """Return what chooses the receivers of a send."""
    cdef PyTypeObject *cls = Py_TYPE(self)
    cdef bint is_own = table is not None and is_version(cls, &table.own_class)
    if not is_own and is_others_class(cls):
        return OTHERS
    if view.attributes == NULL:
        if not view.is_base:
            return OTHERS   # the view was reset: the attributes are not known
    elif PyDict_GET_SIZE(view.attributes) != 0 and (
        has_key(view.attributes, <PyObject *>LIVE_RECEIVERS, view.receivers)
    ):
        forget(view)    # a program's code may have run
        return OTHERS
    return OWN if is_own else chooser_by_class(self, view, table)


cdef int chooser_by_class(self, View *view, RoutingTable table) except -1:
    """Return what chooses the receivers of a class's signals, or UNKNOWN, and fill in the view again."""
    cdef int chooser = chooser_of_class(Py_TYPE(self), table)
    # Comparing keys in a class's namespace may have run a program's code.
    read_receivers(self, view)
    read_table(self, view)
    return chooser


cdef inline bint is_version(PyTypeObject *cls, unsigned int *remembered) noexcept:
    """Return whether a class has a version, and the version is `remembered`.

    CPython gives each version of each class a number of its own: a changed class gets another number.
    """
    cdef unsigned int version = type_version(cls)
    return load(remembered) == version != 0


cdef inline bint is_others_class(PyTypeObject *cls) noexcept:
    """Return whether a class is remembered as one with an override or unknown wrapper."""
    return is_version(cls, &others_classes[type_version(cls) % REMEMBERED])


cdef inline int chooser_of_class(PyTypeObject *cls, RoutingTable table) noexcept:
    """Return what chooses the receivers of a class's signals, or UNKNOWN."""
    cdef unsigned int version = type_version(cls)
    if table is not None:
        if is_version(cls, &table.own_class):
            return OWN
        if is_version(cls, &table.wrapped_class):
            return WRAPPER
    if is_others_class(cls):
        return OTHERS
    if not is_plain(cls):
        return UNKNOWN
    if table is not None and type_version(cls) == version:
        store(&table.own_class, version)
    return OWN


cdef int find_chooser(self, RoutingTable table) except -1:
    """Return what chooses the receivers of a send where chooser_of() returned UNKNOWN, and remember it."""
    global scopes
    strong_cls = type(self)     # comparing keys may run code that gives the signal another class
    cdef PyTypeObject *cls = <PyTypeObject *>strong_cls
    cdef unsigned int version
    cdef int chooser = chooser_of_class(cls, table)
    if (not is_base(self) or has_dict(self)) and LIVE_RECEIVERS in <dict>PyObject_GenericGetDict(self, NULL):
        return OTHERS
    if chooser != UNKNOWN:
        return chooser
    version = type_version(cls)
    wrapper = merged_config_now().wrapper
    chooser = OTHERS
    if wrapper is not None and reads_plainly(cls) and wrapper.is_known(getattr(<object>cls, LIVE_RECEIVERS, None)):
        chooser = WRAPPER
        following = wrapper.scopes
        with cython.critical_section(CONFIGS):
            following, scopes = scopes, following
    if type_version(cls) == version:
        if chooser == OTHERS:
            store(&others_classes[version % REMEMBERED], version)
        elif table is not None:
            store(&table.wrapped_class, version)
    return chooser


cdef RoutingTable kept_table(self):
    """Return a signal's routing table, which may be out of date, or None."""
    table = self._csignals_table if is_base(self) else get(<dict>PyObject_GenericGetDict(self, NULL), TABLE)
    return <RoutingTable>table if type(table) is RoutingTable else None


cdef bint is_plain(PyTypeObject *cls) noexcept:
    """Return whether a class has csignals' ``_live_receivers``, and reads ``receivers`` as csignals does."""
    cdef PyMethodDef *method = method_def(cls, <PyObject *>LIVE_RECEIVERS)
    return (method == &LIVE_RECEIVERS_DEF or method == &LIVE_LIST_DEF) and reads_plainly(cls)


cdef bint reads_plainly(PyTypeObject *cls) noexcept:
    """Return whether a class overrides neither ``receivers`` nor ``__getattribute__``."""
    cdef PyTypeObject *base = <PyTypeObject *>SignalBase
    return is_generic_getattr(cls) and lookup(cls, <PyObject *>RECEIVERS) == (
        lookup(base, <PyObject *>RECEIVERS) if PyType_IsSubtype(cls, base) else NULL
    )


cdef inline bint is_current(self, View *view, RoutingTable table) noexcept:
    """Return whether a routing table is right for the present content of the signal's `receivers`."""
    if table is None or view.has_dead:
        return False
    if view.is_base and (<SignalBase>self).table_is_valid and is_unshared(view.receivers):
        return True
    if view.receivers == NULL or not PyList_CheckExact(view.receivers) or not table.same(view.receivers):
        return False
    if view.is_base:
        if has_old_keys(<SignalBase>self):
            return False    # new_table() drops them
        # If no other code has the list now, other code can get it only from the signal. (Or from the gc module.)
        # A program's code may have run since the view was filled in, and replaced the list or the table.
        (<SignalBase>self).table_is_valid = (
            is_unshared(view.receivers) and view.receivers == <PyObject *>(<SignalBase>self).entries
            and (<SignalBase>self).table is table
        )
    return True
