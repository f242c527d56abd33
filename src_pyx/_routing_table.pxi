"""The routing table of the engine in Cython: a part of compiled.pyx, which includes it.

What it is for, ``RoutingTable`` in csignals/_dispatch/pure.py says. Here it is laid out in arrays, so that a
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
    # A connected sender, and where its segment of positions starts. No segment: a free place of the hash table.
    void *sender
    uint32_t segment

cdef struct Chain:
    # While a table is made: the positions of one sender's entries, from the first to the last of a linked list.
    void *sender
    uint32_t first
    uint32_t last
    uint32_t length
    uint32_t segment

cdef struct Slots:
    # The arguments of a call, then `size` references held here: receivers, each in time replaced by its pair.
    PyObject *stack[STACK_SLOTS]
    PyObject **arguments
    PyObject **live
    Py_ssize_t size

# A segment is the positions of one sender's entries, in order; its length stands before it. It ends with END,
# which is larger than any position, so that two segments merge without counting.
cdef uint32_t END = UINT32_MAX
cdef uint32_t EMPTY = 1    # the segment that is empty


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
    cdef tuple halves       # a tuple, as gc clears lists
    cdef bint has_async
    cdef bint has_senders
    cdef bint is_direct     # the engine may call the receivers itself
    cdef Target *targets
    cdef uint32_t *positions
    cdef uint32_t everyone
    cdef Group *groups
    cdef uint64_t mask
    cdef dict pairs
    # Nothing above changes once the table is made.
    # The last send's keyword names as they came in, beside how many positional arguments; and as they went out.
    # Without the GIL they are left alone: what threads remember together, they wait for.
    cdef object names_in
    cdef Py_ssize_t names_nargs
    cdef Py_ssize_t sender_at
    cdef tuple names_out
    cdef unsigned int own_class         # CPython's version tag of a class that chooses receivers by csignals' method
    cdef unsigned int wrapped_class     # the same for one with a known wrapper

    def __cinit__(self, list receivers not None):
        cdef Py_ssize_t i
        cdef list halves = []
        self.snapshot = tuple(list(receivers))    # of the list itself, it is not safe from finalizers that change that
        self.size = len(self.snapshot)
        self.pairs = {}
        self.targets = <Target *>PyMem_Calloc(self.size + 1, sizeof(Target))
        if self.targets == NULL:
            raise MemoryError
        self._make_segments()
        for i in range(self.size):
            self._fill_target(&self.targets[i], <tuple>self.snapshot[i], halves)
        self.halves = tuple(halves)

    cdef int _fill_target(self, Target *target, tuple entry, list halves) except -1:
        receiver = entry[1]
        if receiver is None:
            raise TypeError(f"Signal.receivers must hold receivers, not None: {entry!r}")
        target.ref = <PyObject *>receiver
        if not PyWeakref_CheckRef(target.ref):
            target.kind = STRONG
        elif PyWeakref_CheckRefExact(target.ref):
            target.kind = WEAK
        elif type(receiver) is WeakMethod and receiver._meth_type is MethodType:
            target.kind = METHOD
            func_ref = receiver._func_ref
            halves.append(func_ref)
            target.func_ref = <PyObject *>func_ref
            if not PyWeakref_CheckRef(target.func_ref):     # anybody may have set it to anything
                target.kind = OTHER
        else:
            target.kind = OTHER
        if len(entry) > 2 and entry[len(entry) - 1]:
            target.is_async = self.has_async = True
        if len(entry) == 4 and entry[2] is not None and type(entry[2]) is not StrongRef:
            target.sender_ref = PyTuple_GET_ITEM(<PyObject *>entry, 2)
        return 0

    cdef int _make_segments(self) except -1:
        """Lay the positions of each sender's entries in a segment."""
        cdef Chain *chains = <Chain *>PyMem_Calloc(self.size + 1, sizeof(Chain))
        cdef uint32_t *after = <uint32_t *>PyMem_Malloc((self.size + 1) * sizeof(uint32_t))
        cdef uint32_t count = 1     # of chains; the first is that of all senders
        cdef uint32_t at = EMPTY + 1
        cdef uint32_t i, position
        try:
            if chains == NULL or after == NULL:
                raise MemoryError
            self._make_groups(self.size)
            for i in range(self.size):
                count = self._link(&chains[0], after, i, count)
            self.has_senders = count > 1
            self._make_groups(count - 1 - len(self.pairs))
            self.positions = <uint32_t *>PyMem_Malloc((2 + self.size + 2 * count) * sizeof(uint32_t))
            if self.positions == NULL:
                raise MemoryError
            self.positions[EMPTY - 1] = 0
            self.positions[EMPTY] = END
            for i in range(count):
                self.positions[at] = chains[i].length
                chains[i].segment = at + 1
                position = chains[i].first
                for at in range(at + 1, at + 1 + chains[i].length):
                    self.positions[at] = position
                    position = after[position]
                at = chains[i].segment + chains[i].length
                self.positions[at] = END
                at += 1
                if chains[i].sender != NULL:
                    self._place(chains[i].sender)[0] = Group(chains[i].sender, chains[i].segment)
            self.everyone = chains[0].segment
            # In a new dict: anybody may say what these ids are equal to, so the old one may find another's place.
            segments = {}
            for sender_id, i in self.pairs.items():
                segments[sender_id] = chains[i].segment
            self.pairs = segments
        finally:
            PyMem_Free(chains)
            PyMem_Free(after)
        return 0

    cdef uint32_t _link(self, Chain *chains, uint32_t *after, uint32_t position, uint32_t count) except 0:
        """Put a position at the end of its sender's chain, and return how many chains there are now."""
        cdef void *sender = plain_sender(PyTuple_GET_ITEM(<PyObject *>self.snapshot, position))
        cdef Group *group
        cdef Chain *chain
        if sender == NULL:
            sender_id = id_of_sender(self.snapshot[position])
            sender = address(sender_id)
        if sender == NULL:
            chain = &chains[<uint32_t>self.pairs.setdefault(sender_id, count)]
        elif sender == <void *>None:
            chain = chains
        else:
            group = self._place(sender)
            if group.segment == 0:
                group[0] = Group(sender, count)
            chain = &chains[group.segment]
            chain.sender = sender
        if chain.length == 0:
            chain.first = position
        else:
            after[chain.last] = position
        chain.last = position
        chain.length += 1
        return count + (chain == &chains[count])

    cdef int _make_groups(self, Py_ssize_t size) except -1:
        """Make the hash table anew, with more places than there are senders."""
        cdef uint64_t places = 1
        while places < 2 * <uint64_t>size:
            places *= 2
        PyMem_Free(self.groups)
        self.mask = places - 1
        self.groups = <Group *>PyMem_Calloc(places, sizeof(Group))
        if self.groups == NULL:
            raise MemoryError
        return 0

    cdef inline Group *_place(self, void *sender) noexcept:
        """Return the place of a sender in the hash table, or the free one where it would be."""
        cdef uint64_t i = (<uint64_t><uintptr_t>sender >> 4) * <uint64_t>0x9E3779B97F4A7C15
        i ^= i >> 32
        while self.groups[i & self.mask].segment and self.groups[i & self.mask].sender != sender:
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
        return size == self.size and same_items(shared_items(receivers), tuple_items(<PyObject *>self.snapshot), size)

    cdef inline uint32_t segment_of(self, PyObject *sender) except 0:
        cdef uint32_t segment
        if not self.has_senders:
            return EMPTY
        segment = self._place(sender).segment
        if PyDict_GET_SIZE(<PyObject *>self.pairs):
            segment = self.pairs.get(python_make_id(<object>sender), segment)
        return segment or EMPTY

    cdef inline Py_ssize_t max_receivers(self, uint32_t segment) noexcept:
        """Return how many receivers there are at the most for a sender with this segment."""
        return self.positions[self.everyone - 1] + self.positions[segment - 1]

    cdef inline int resolve(self, uint32_t segment, bint is_async, Slots *slots) except -1:
        """Add those receivers to `slots` that are alive, in order of registration."""
        cdef uint32_t *own = self.positions + segment
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

    cdef inline tuple outgoing_names(self, PyObject *names, Py_ssize_t nargs, Py_ssize_t *sender_at):
        """Like the function of this name, but finds the sender as well, and remembers its last result.

        A call site passes the same constant each time; one that unpacks a dict, a new tuple of the same names.
        """
        cdef PyObject *last
        if names == NULL:
            sender_at[0] = 0
            return BARE_NAMES if nargs == 1 else None
        if IS_FREE_THREADED:
            sender_at[0] = find_sender(names, nargs)
            return outgoing_names(names, nargs, sender_at[0])
        sender_at[0] = self.sender_at
        last = <PyObject *>self.names_in
        if nargs == self.names_nargs and self.names_out is not None and (
            names == last or (
                PyTuple_GET_SIZE(names) == PyTuple_GET_SIZE(last)
                and same_items(tuple_items(names), tuple_items(last), PyTuple_GET_SIZE(names))
            )
        ):
            return self.names_out
        sender_at[0] = find_sender(names, nargs)
        names_out = outgoing_names(names, nargs, sender_at[0])
        old_names = self.names_in, self.names_out   # to be let go of last, as that may run anything
        self.names_in = <object>names
        self.names_nargs = nargs
        self.sender_at = sender_at[0]
        self.names_out = names_out
        return names_out


cdef void *plain_sender(PyObject *entry) except? NULL:
    """Return the address of the sender that an entry is for, or NULL where it takes more to know: id_of_sender()."""
    cdef PyObject *key
    cdef PyObject *reference
    cdef PyObject *sender = NULL
    if not PyTuple_Check(<object>entry) or PyTuple_GET_SIZE(entry) < 2:
        return NULL
    key = PyTuple_GET_ITEM(entry, 0)
    if not PyTuple_CheckExact(<object>key) or PyTuple_GET_SIZE(key) != 2:
        return NULL
    if PyTuple_GET_SIZE(entry) == 4 and PyTuple_GET_ITEM(entry, 2) != <PyObject *>None:
        reference = PyTuple_GET_ITEM(entry, 2)
        if not PyWeakref_CheckRefExact(reference) or type((<tuple>key)[1]) is tuple:
            return NULL
        sender = new_referent(reference)
        Py_XDECREF(sender)
    return sender if sender != NULL else address((<tuple>key)[1])


cdef void *address(sender_id) except? NULL:
    """Return what an id is the address of, or NULL if it is none."""
    try:
        return PyLong_AsVoidPtr(sender_id) if type(sender_id) is int else NULL
    except OverflowError:
        return NULL


cdef object id_of_sender(entry):
    """Return the id of the sender that an entry is for: of the very sender, where the entry has that."""
    if not isinstance(entry, tuple):
        raise TypeError(f"Signal.receivers must hold tuples, not {entry!r}")
    (_, sender_id), _, *_ = entry
    if len(<tuple>entry) < 2:   # a subclass's __iter__ may say what it likes
        raise TypeError(f"Signal.receivers must hold pairs or longer tuples, not {entry!r}")
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
