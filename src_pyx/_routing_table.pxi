"""The routing table of the engine in Cython: a part of _dispatch_c.pyx, which includes it.

What it is for, ``RoutingTable`` in csignals/_dispatch_py.py says. Here it is laid out in arrays, so that a
send follows pointers alone.
"""

cdef enum Kind:
    STRONG      # the entry holds the receiver itself
    WEAK        # a plain weak reference
    METHOD      # a WeakMethod, whose bound method is made here out of its two halves
    OTHER       # another subclass of weakref.ref, called as Django calls it

cdef struct Target:
    # What an entry says. The table's snapshot keeps alive all that is pointed to here, and `halves` func_ref.
    PyObject *ref
    PyObject *func_ref
    PyObject *sender_ref
    Kind kind
    bint is_async

cdef struct Group:
    # A connected sender, and where its run of positions starts. No run: a free place of the hash table.
    void *sender
    uint32_t run

cdef struct Slots:
    # The arguments of a call, then `size` references held here: receivers, each in time replaced by its pair.
    PyObject *stack[STACK_SLOTS]
    PyObject **arguments
    PyObject **live
    Py_ssize_t size

# A run is the positions of one sender's entries, in order; its length stands before it. It ends with END,
# which is larger than any position, so that two runs merge without counting.
cdef uint32_t END = UINT32_MAX
cdef uint32_t NOBODY = 1    # the run that is empty


cdef inline bint same_items(PyObject **items, PyObject **others, Py_ssize_t size) noexcept:
    if size < 8:    # not worth the call
        for i in range(size):
            if items[i] != others[i]:
                return False
        return True
    return memcmp(items, others, size * sizeof(PyObject *)) == 0


@cython.auto_pickle(False)
@cython.final
@cython.no_gc_clear     # its pointers must hold for as long as it lives
cdef class RoutingTable:
    cdef tuple snapshot
    cdef Py_ssize_t size
    cdef list halves
    cdef bint has_async
    cdef bint has_senders
    cdef bint is_direct     # the engine may call the receivers itself
    cdef Target *targets
    cdef uint32_t *positions
    cdef uint32_t everyone
    cdef Group *groups
    cdef uint64_t mask
    cdef dict pairs
    # The last send's keyword names as they came in, beside how many positional arguments; and as they went out.
    cdef object names_in
    cdef Py_ssize_t names_nargs
    cdef tuple names_out
    # A class that is_plain() said yes of, and CPython's version tag of it then.
    cdef PyTypeObject *plain_class
    cdef unsigned int plain_class_version

    def __cinit__(self, list receivers not None):
        cdef dict runs = {NONE_ID: []}
        cdef Py_ssize_t i
        self.snapshot = tuple(receivers)
        self.size = len(self.snapshot)
        self.halves = []
        self.pairs = {}
        self.targets = <Target *>PyMem_Calloc(len(self.snapshot) + 1, sizeof(Target))
        if self.targets == NULL:
            raise MemoryError
        for i, entry in enumerate(self.snapshot):
            runs.setdefault(id_of_sender(entry), []).append(i)
            self._aim(&self.targets[i], <tuple>entry)
        self._lay_out(runs)

    cdef int _aim(self, Target *target, tuple entry) except -1:
        receiver = entry[1]
        target.ref = <PyObject *>receiver
        if not PyWeakref_CheckRef(target.ref):
            target.kind = STRONG
        elif PyWeakref_CheckRefExact(target.ref):
            target.kind = WEAK
        elif type(receiver) is WeakMethod and receiver._meth_type is MethodType:
            target.kind = METHOD
            func_ref = receiver._func_ref
            self.halves.append(func_ref)
            target.func_ref = <PyObject *>func_ref
        else:
            target.kind = OTHER
        if len(entry) > 2 and entry[len(entry) - 1]:
            target.is_async = self.has_async = True
        if len(entry) == 4 and entry[2] is not None and type(entry[2]) is not Held:
            target.sender_ref = PyTuple_GET_ITEM(<PyObject *>entry, 2)
        return 0

    cdef int _lay_out(self, dict runs) except -1:
        cdef uint32_t at = NOBODY + 1
        cdef uint64_t places = 1
        while places < 2 * (<uint64_t>len(runs) - 1):    # more than there are senders, everyone is none
            places *= 2
        self.mask = places - 1
        self.has_senders = len(runs) > 1
        self.groups = <Group *>PyMem_Calloc(places, sizeof(Group))
        self.positions = <uint32_t *>PyMem_Malloc((2 + len(self.snapshot) + 2 * len(runs)) * sizeof(uint32_t))
        if self.groups == NULL or self.positions == NULL:
            raise MemoryError
        self.positions[NOBODY - 1] = 0
        self.positions[NOBODY] = END
        for sender_id, run in runs.items():
            self.positions[at] = len(<list>run)
            at += 1
            self._add_group(sender_id, at)
            for position in <list>run:
                self.positions[at] = position
                at += 1
            self.positions[at] = END
            at += 1
        return 0

    cdef int _add_group(self, sender_id, uint32_t run) except -1:
        cdef Group *group
        if sender_id == NONE_ID:
            self.everyone = run
        elif isinstance(sender_id, int) and 0 <= sender_id <= <uintptr_t>UINTPTR_MAX:
            group = self._place(PyLong_AsVoidPtr(sender_id))
            group.sender = PyLong_AsVoidPtr(sender_id)
            group.run = run
        else:
            self.pairs[sender_id] = run
        return 0

    cdef inline Group *_place(self, void *sender) noexcept:
        """Return the place of a sender in the hash table, or the free one where it would be."""
        cdef uint64_t i = (<uint64_t><uintptr_t>sender >> 4) * <uint64_t>0x9E3779B97F4A7C15
        i ^= i >> 32
        while self.groups[i & self.mask].run and self.groups[i & self.mask].sender != sender:
            i += 1
        return &self.groups[i & self.mask]

    def __dealloc__(self):
        PyMem_Free(self.targets)
        PyMem_Free(self.positions)
        PyMem_Free(self.groups)

    def __reduce__(self):
        return type(None), ()       # a copy of a signal makes its own

    cdef inline bint same(self, PyObject *receivers) noexcept:
        """Return whether a list holds the very entries of the snapshot."""
        cdef Py_ssize_t size = PyList_GET_SIZE(receivers)
        return size == self.size and same_items(list_items(receivers), tuple_items(<PyObject *>self.snapshot), size)

    cdef inline uint32_t run_of(self, PyObject *sender) except 0:
        cdef uint32_t run
        if not self.has_senders:
            return NOBODY
        run = self._place(sender).run
        if PyDict_GET_SIZE(<PyObject *>self.pairs):
            run = self.pairs.get(make_id(<object>sender), run)
        return run or NOBODY

    cdef inline Py_ssize_t most(self, uint32_t run) noexcept:
        """Return how many receivers there are at the most for a sender with this run."""
        return self.positions[self.everyone - 1] + self.positions[run - 1]

    cdef inline int resolve(self, uint32_t run, bint is_async, Slots *slots) except -1:
        """Add those receivers to `slots` that are alive, in order of registration."""
        cdef uint32_t *own = self.positions + run
        cdef uint32_t *everyone = self.positions + self.everyone
        cdef uint32_t position
        cdef Target *target
        cdef PyObject *receiver
        while True:
            if everyone[0] < own[0]:
                position = everyone[0]
                everyone += 1
            else:
                position = own[0]
                own += 1
                if position == END:
                    return 0
            target = &self.targets[position]
            if target.is_async != is_async:
                continue
            if target.kind == WEAK and target.sender_ref == NULL:
                receiver = new_referent(target.ref)
            else:
                receiver = new_receiver(target)
            if receiver != NULL:
                slots.live[slots.size] = receiver
                slots.size += 1

    cdef inline tuple outgoing_names(self, PyObject *names, Py_ssize_t nargs, Py_ssize_t sender_at):
        """Like the function of this name, but remembers its last result.

        A call site passes the same constant each time; one that unpacks a dict, a new tuple of the same names.
        """
        cdef PyObject *last = <PyObject *>self.names_in
        if names == NULL:
            return BARE_NAMES
        if nargs == self.names_nargs and self.names_out is not None and (
            names == last or (
                PyTuple_GET_SIZE(names) == PyTuple_GET_SIZE(last)
                and same_items(tuple_items(names), tuple_items(last), PyTuple_GET_SIZE(names))
            )
        ):
            return self.names_out
        names_out = outgoing_names(names, nargs, sender_at)
        self.names_out = None   # first: letting go of the old ones may run anything
        self.names_in = <object>names
        self.names_nargs = nargs
        self.names_out = names_out
        return names_out


cdef object id_of_sender(entry):
    """Return the id of the sender that an entry is for: of the very sender, where the entry has that."""
    if not isinstance(entry, tuple):
        raise TypeError(f"Signal.receivers must hold tuples, not {entry!r}")
    (_, sender_id), _, *_ = entry
    sender = entry[2]() if len(<tuple>entry) == 4 and entry[2] is not None else None
    return sender_id if sender is None or type(sender_id) is tuple else <uintptr_t><PyObject *>sender


cdef PyObject *new_receiver(Target *target) except? NULL:
    """Return a new reference to the receiver, or NULL once that or its sender is dead."""
    cdef PyObject *instance
    cdef PyObject *function
    if target.sender_ref != NULL:
        instance = new_target(target.sender_ref)
        if instance == NULL:
            return NULL
        Py_XDECREF(instance)
    if target.kind == WEAK:
        return new_referent(target.ref)
    if target.kind == STRONG:
        Py_XINCREF(target.ref)
        return target.ref
    if target.kind == OTHER:
        return new_target(target.ref)
    instance = new_referent(target.ref)
    function = new_referent(target.func_ref)
    try:
        return PyMethod_New(function, instance) if instance != NULL and function != NULL else NULL
    finally:
        Py_XDECREF(function)
        Py_XDECREF(instance)


cdef PyObject *new_target(PyObject *reference) except? NULL:
    """Return a new reference to what calling `reference` gives, or NULL for None."""
    if PyWeakref_CheckRefExact(reference):
        return new_referent(reference)
    target = (<object>reference)()
    if target is None:
        return NULL
    Py_XINCREF(<PyObject *>target)
    return <PyObject *>target
