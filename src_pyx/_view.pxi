"""What a send sees of its signal, be it csignals' or Django's: a part of compiled.pyx, which includes it.

It decides whether the signal's routing table is there, is right, and is what counts.
"""

cdef enum:
    # What chooses the receivers of a send, as ``_live_receivers`` does.
    OWN         # csignals' method, so that the routing table has them
    WRAPPER     # a known wrapper of that: the table has them, and the wrapper's recorder is asked
    OTHERS      # an override, or a wrapper that is not known: it has to be asked
    UNKNOWN   # what is not remembered: find_chooser() says

cdef enum:
    REMEMBERED = 64     # classes of which others choose the receivers: more than there are in a program

#: The versions of such classes, each in the place of its last bits: a wrong one costs time, and nothing else.
cdef unsigned int others_classes[REMEMBERED]


cdef struct View:
    # All of these are the signal's own: they hold until anybody else's code may run. So with the GIL only.
    bint is_base            # whether it is a SignalBase
    PyObject *attributes    # its __dict__, or NULL
    PyObject *receivers     # its list, or whatever else it was assigned, or NULL
    bint has_dead           # whether a receiver or a sender may have died since the table was made
    PyObject *table         # what it has for a routing table, or NULL


cdef inline bint is_base(self):
    cdef PyTypeObject *cls = Py_TYPE(self)
    # A class that has less capacity than the base class has not inherited from it.
    return cls == signal_class or (
        cls.tp_basicsize >= (<PyTypeObject *>SignalBase).tp_basicsize and isinstance(self, SignalBase)
    )


cdef inline int read_receivers(self, View *view) except -1:
    """Fill in the first half of a view: all that a send needs which finds the list empty."""
    view.is_base = is_base(self)
    if view.is_base:
        view.attributes = base_dict(self)[0]
        view.receivers = <PyObject *>(<SignalBase>self).entries
    else:
        attributes = PyObject_GenericGetDict(self, NULL)
        view.attributes = <PyObject *>attributes
        # Each stands where it came to the dict when the signal was made, and the table after them.
        view.receivers = item_at(view.attributes, <PyObject *>RECEIVERS, 0)
        if view.receivers == NULL:
            view.receivers = PyDict_GetItemWithError(attributes, RECEIVERS)
            if is_unshared(view.attributes):
                forget(view)
    return 0


cdef inline int read_table(self, View *view) except -1:
    """Fill in the second half."""
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
    """Look up what is not in its place. Keys that are no plain strings may run anybody's code at that."""
    attributes = <dict>view.attributes
    receivers = <object>view.receivers
    table = attributes.get(TABLE)
    view.table = <PyObject *>table if table is not None else NULL
    view.has_dead = is_flagged(PyDict_GetItemWithError(attributes, DEAD_RECEIVERS))
    if is_unshared(view.attributes) or is_unshared(view.receivers) or is_unshared(<PyObject *>table):
        forget(view)    # it is the signal's no more
    return 0


cdef inline bint is_flagged(PyObject *dead) noexcept:
    """Return whether a ``_dead_receivers``, which is compared and never looked into, or NULL, says that some may be."""
    return dead != Py_False and dead != <PyObject *>None


cdef inline void forget(View *view) noexcept:
    view.attributes = view.receivers = view.table = NULL
    view.has_dead = True


cdef inline RoutingTable known_table(View *view):
    """Return the signal's routing table, be it up to date or not, or None."""
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
            return OTHERS   # the signal's attributes are not to be had
    elif PyDict_GET_SIZE(view.attributes) != 0 and (
        has_key(view.attributes, <PyObject *>LIVE_RECEIVERS, view.receivers)
    ):
        forget(view)    # anybody's code may have run
        return OTHERS
    return OWN if is_own else chooser_by_class(self, view, table)


cdef int chooser_by_class(self, View *view, RoutingTable table) except -1:
    cdef int chooser = chooser_of_class(Py_TYPE(self), table)
    # Keys in the namespace of a class may run anybody's code, when they are compared.
    read_receivers(self, view)
    read_table(self, view)
    return chooser


cdef inline bint is_version(PyTypeObject *cls, unsigned int *remembered) noexcept:
    """Return whether a class has a version, and it is this one.

    CPython numbers the versions of all classes: no other class has a version's number, nor this one once it is changed.
    """
    cdef unsigned int version = type_version(cls)
    return load(remembered) == version != 0


cdef inline bint is_others_class(PyTypeObject *cls) noexcept:
    """Return whether it is remembered that others choose the receivers of a class's signals."""
    return is_version(cls, &others_classes[type_version(cls) % REMEMBERED])


cdef inline int chooser_of_class(PyTypeObject *cls, RoutingTable table) noexcept:
    """Return what chooses the receivers of a class's signals."""
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
    """Return what chooses the receivers of a send that chooser_of() knows nothing of, and remember it."""
    global scopes
    held = type(self)   # as comparing keys may run anybody's code, which gives the signal another class
    cdef PyTypeObject *cls = <PyTypeObject *>held
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
    """Return the routing table that a signal keeps, whether it is up to date or not, or None."""
    table = self._csignals_table if is_base(self) else get(<dict>PyObject_GenericGetDict(self, NULL), TABLE)
    return <RoutingTable>table if type(table) is RoutingTable else None


cdef bint is_plain(PyTypeObject *cls) noexcept:
    """Return whether a class has csignals' ``_live_receivers``, and reads ``receivers`` as csignals does."""
    cdef PyMethodDef *method = method_def(cls, <PyObject *>LIVE_RECEIVERS)
    return (method == &LIVE_RECEIVERS_DEF or method == &LIVE_LIST_DEF) and reads_plainly(cls)


cdef bint reads_plainly(PyTypeObject *cls) noexcept:
    """Return whether the class has no property of its own for ``receivers``, and no ``__getattribute__``."""
    cdef PyTypeObject *base = <PyTypeObject *>SignalBase
    return is_generic_getattr(cls) and lookup(cls, <PyObject *>RECEIVERS) == (
        lookup(base, <PyObject *>RECEIVERS) if PyType_IsSubtype(cls, base) else NULL
    )


cdef inline bint is_current(self, View *view, RoutingTable table) noexcept:
    """Return whether this is the routing table for what the signal's `receivers` holds now."""
    if table is None or view.has_dead:
        return False
    if view.is_base and (<SignalBase>self).table_is_valid and is_unshared(view.receivers):
        return True
    if view.receivers == NULL or not PyList_CheckExact(view.receivers) or not table.same(view.receivers):
        return False
    if view.is_base:
        if has_old_keys(<SignalBase>self):
            return False    # a new table lets go of them
        # From now on nobody gets at the list but through the signal, if nobody has it now. (Or through the gc module.)
        # What was looked at may be the signal's no more, if anybody's code has run since.
        (<SignalBase>self).table_is_valid = (
            is_unshared(view.receivers) and view.receivers == <PyObject *>(<SignalBase>self).entries
            and (<SignalBase>self).table is table
        )
    return True
