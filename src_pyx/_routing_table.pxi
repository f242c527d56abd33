"""The routing table: makes the section "The routing table" of csignals/_dispatch/pure.py fast.

Here are the table's layout in C arrays, and how a send resolves the references in it. Whether a signal's table is up to
date is decided in _view.pxi and _sharing.pxi.
"""

cdef enum Kind:
    STRONG      # the entry holds the receiver itself
    WEAK        # a plain weak reference
    METHOD      # a WeakMethod: the bound method is made here, from its object and its function
    OTHER       # another subclass of weakref.ref, which is called, as Django calls it

cdef struct Target:
    # The contents of an entry. The table's `snapshot` keeps the objects alive, and its `halves` func_ref.
    PyObject *ref
    PyObject *func_ref
    PyObject *sender_ref
    Kind kind
    bint is_async

cdef struct Group:
    # A connected sender, and where its segment starts. A segment of 0 marks a free place of the hash table.
    void *sender
    uint32_t segment

cdef struct Chain:
    # Used while a table is made: the positions of one sender's entries, as a linked list.
    void *sender
    uint32_t first
    uint32_t last
    uint32_t length
    uint32_t segment

cdef struct Slots:
    # The arguments of a call, and `size` owned references: the receivers, of which call_each() replaces each by its
    # pair (receiver, response).
    PyObject *stack[STACK_SLOTS]
    PyObject **arguments
    PyObject **live
    Py_ssize_t size

# A segment is the positions of one sender's entries, in order. Its length stands before its first position. It ends
# with END, which is larger than any position, so that two segments merge without counting.
cdef uint32_t END = UINT32_MAX
cdef uint32_t EMPTY = 1    # the empty segment


cdef inline bint same_items(PyObject **items, PyObject **others, Py_ssize_t size) noexcept:
    if size < 8:    # calling memcmp() costs more
        for i in range(size):
            if items[i] != others[i]:
                return False
        return True
    return memcmp(items, others, size * sizeof(PyObject *)) == 0


@cython.auto_pickle(False)
@cython.final
@cython.no_gc_clear     # the objects that its pointers point to must live as long as the table
cdef class RoutingTable:
    """The receivers of each sender, for one state of a signal's ``receivers`` list.

    Makes `pure.RoutingTable` fast: a send follows pointers, and makes no objects. The segments of all senders are made
    at once, not when a sender first sends.
    """

    cdef tuple snapshot
    cdef Py_ssize_t size
    cdef tuple halves       # references to functions of bound methods; a tuple, as gc clears lists
    cdef bint has_async
    cdef bint has_senders
    cdef bint is_direct     # sends may call the receivers from C
    cdef Target *targets
    cdef uint32_t *positions
    cdef uint32_t everyone
    cdef Group *groups
    cdef uint64_t mask
    cdef dict pairs         # the segments of senders whose ids are not addresses: mostly bound methods
    # Nothing above changes once the table is made.
    # The last send's keyword names and number of positional arguments, and the keyword names that receivers then got.
    # Not used without the GIL, where threads that share a memory wait for each other.
    cdef object names_in
    cdef Py_ssize_t names_nargs
    cdef Py_ssize_t sender_at
    cdef tuple names_out
    cdef unsigned int own_class         # CPython's version tag of a class with csignals' ``_live_receivers``
    cdef unsigned int wrapped_class     # the version tag of a class with a known wrapper of it

    def __cinit__(self, list receivers not None):
        cdef Py_ssize_t i
        cdef list halves = []
        self.snapshot = tuple(list(receivers))    # tuple() alone is not safe if a finalizer changes the list meanwhile
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
            if not PyWeakref_CheckRef(target.func_ref):     # a program may have set it to anything
                target.kind = OTHER
        else:
            target.kind = OTHER
        if len(entry) > 2 and entry[len(entry) - 1]:
            target.is_async = self.has_async = True
        if len(entry) == 4 and entry[2] is not None and type(entry[2]) is not StrongRef:
            target.sender_ref = PyTuple_GET_ITEM(<PyObject *>entry, 2)
        return 0

    cdef int _make_segments(self) except -1:
        """Make a segment of the positions of each sender's entries."""
        cdef Chain *chains = <Chain *>PyMem_Calloc(self.size + 1, sizeof(Chain))
        cdef uint32_t *after = <uint32_t *>PyMem_Malloc((self.size + 1) * sizeof(uint32_t))
        cdef uint32_t count = 1     # of chains; the first has the receivers of all senders
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
            # A new dict: to assign in the old one compares keys again, and their __eq__ may now answer otherwise.
            segments = {}
            for sender_id, i in self.pairs.items():
                segments[sender_id] = chains[i].segment
            self.pairs = segments
        finally:
            PyMem_Free(chains)
            PyMem_Free(after)
        return 0

    cdef uint32_t _link(self, Chain *chains, uint32_t *after, uint32_t position, uint32_t count) except 0:
        """Append a position to its sender's chain, and return the new number of chains."""
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
        """Replace the hash table by an empty one, with more places than there are senders."""
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
        """Return the place of a sender in the hash table, or the free place for it."""
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
        return type(None), ()       # a copy of a signal makes a table of its own

    cdef inline bint same(self, PyObject *receivers) noexcept:
        """Return whether a list holds the same objects as the snapshot."""
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
        """Return the number of receivers, dead ones included, for a sender with this segment."""
        return self.positions[self.everyone - 1] + self.positions[segment - 1]

    cdef inline int resolve(self, uint32_t segment, bint is_async, Slots *slots) except -1:
        """Add the live receivers of a segment and of all senders to `slots`, in order of registration."""
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
        """Like the function outgoing_names(), but also find the sender, and remember the last result.

        A call site passes the same constant tuple each time; or a new tuple of the same names, if it unpacks a dict.
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
        old_names = self.names_in, self.names_out   # freed last, as finalizers may run
        self.names_in = <object>names
        self.names_nargs = nargs
        self.sender_at = sender_at[0]
        self.names_out = names_out
        return names_out


cdef void *plain_sender(PyObject *entry) except? NULL:
    """Return the address of an entry's sender, or NULL where only id_of_sender() can find the sender's id."""
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
    """Return an id as an address, or NULL if it is not one."""
    try:
        return PyLong_AsVoidPtr(sender_id) if type(sender_id) is int else NULL
    except OverflowError:
        return NULL


cdef object id_of_sender(entry):
    """Return the id of an entry's sender: that of the live sender itself, where the entry refers to it.

    Makes `pure.id_of_sender` fast: plain_sender() comes first, which knows all but rare entries without this function.
    """
    if not isinstance(entry, tuple):
        raise TypeError(f"Signal.receivers must hold tuples, not {entry!r}")
    (_, sender_id), _, *_ = entry
    if len(<tuple>entry) < 2:   # a subclass may override __iter__
        raise TypeError(f"Signal.receivers must hold pairs or longer tuples, not {entry!r}")
    sender = entry[2]() if len(<tuple>entry) == 4 and entry[2] is not None else None
    return sender_id if sender is None or type(sender_id) is tuple else <uintptr_t><PyObject *>sender


cdef PyObject *new_receiver(Target *target) except? NULL:
    """Return a new reference to the receiver, or NULL once it or its sender is dead: see common.getter()."""
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
    """Call `reference`, and return a new reference to the result, or NULL for None."""
    if PyWeakref_CheckRefExact(reference):
        return new_referent(reference)
    target = (<object>reference)()
    if target is None:
        return NULL
    Py_XINCREF(<PyObject *>target)
    return <PyObject *>target
