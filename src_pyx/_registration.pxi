"""How entries come to a signal's list and go: a part of compiled.pyx, which includes it.

A list is searched by the hashes of its keys. They are a memo as the routing table is: kept beside a copy of the
list, with which the list is compared each time. Only keys that compare without running anybody's code have one;
where a list holds others, or the key is another, csignals/_dispatch/pure.py does the work.
"""

cdef enum:
    STEP = 16


def make_key(receiver, sender, dispatch_uid):
    return (dispatch_uid or make_id(receiver), make_id(sender))


cdef object make_id(target):
    if target is None:
        return NONE_ID
    return PyLong_FromVoidPtr(<void *>target) if is_bare_function(<PyObject *>target) else python_make_id(target)


cdef inline bint is_bare_function(PyObject *target) noexcept:
    # With attributes, it may be marked as what it is not, wrap another, or pass for a method.
    return PyFunction_Check(target) and not has_attributes(target)


def code_flags(receiver):
    """Return the ``co_flags`` of a plain function or its method, or 0 where only `inspect` knows what it is."""
    function = PyMethod_GET_FUNCTION(receiver) if PyMethod_Check(receiver) else <PyObject *>receiver
    return co_flags(function) if is_bare_function(function) else 0


cdef bint compares_plainly(key, int depth=4) noexcept:
    """Return whether a key is made of ints and strings, not too deep down in tuples."""
    if type(key) is tuple:
        for item in <tuple>key:
            if depth == 0 or not compares_plainly(item, depth - 1):
                return False
        return True
    return type(key) is int or type(key) is str


cdef inline Py_ssize_t find_hash(uint32_t *hashes, uint32_t wanted, Py_ssize_t i, Py_ssize_t size) noexcept:
    """Return the first index from `i` on where `wanted` is, or `size`."""
    cdef bint is_near
    cdef int j
    while i + STEP <= size:     # C compilers make a few vector instructions of this
        is_near = False
        for j in range(STEP):
            is_near |= hashes[i + j] == wanted
        if is_near:
            break
        i += STEP
    while i < size and hashes[i] != wanted:
        i += 1
    return i


@cython.auto_pickle(False)
@cython.final
@cython.no_gc_clear     # callbacks may connect to a signal that gc has cleared
cdef class Keys:
    """The hashes of the keys of a list. Who shares them, and under what, the table in _sharing.pxi says."""

    cdef list entries       # what was in the list
    cdef uint32_t *hashes   # as many
    cdef Py_ssize_t capacity
    cdef bint is_usable

    def __cinit__(self, list receivers not None):
        self.entries = list(receivers)    # a slice is not safe from a finalizer that changes the list meanwhile
        self.is_usable = True
        self._reserve(len(self.entries))
        for i, entry in enumerate(self.entries):
            if type(entry) is not tuple or not entry or not compares_plainly((<tuple>entry)[0]):
                self.is_usable = False
                break
            self.hashes[i] = <uint32_t>hash((<tuple>entry)[0])

    def __dealloc__(self):
        PyMem_Free(self.hashes)

    cdef int _reserve(self, Py_ssize_t capacity) except -1:
        if capacity > self.capacity:
            capacity += capacity >> 2
            hashes = <uint32_t *>PyMem_Realloc(self.hashes, capacity * sizeof(uint32_t))
            if hashes == NULL:
                raise MemoryError
            self.hashes = hashes
            self.capacity = capacity
        return 0

    cdef inline bint same(self, receivers) noexcept:
        if not PyList_CheckExact(<PyObject *>receivers):
            return False
        # A send that comes here has not the signal's lock, under which these entries change: but they are a list, too.
        with cython.critical_section(receivers, self.entries):
            return self.same_locked(receivers)

    cdef inline bint same_locked(self, receivers) noexcept:
        cdef Py_ssize_t size = PyList_GET_SIZE(<PyObject *>receivers)
        return size == PyList_GET_SIZE(<PyObject *>self.entries) and same_items(
            shared_items(<PyObject *>receivers), shared_items(<PyObject *>self.entries), size
        )

    cdef Py_ssize_t index(self, tuple key) except -2:
        """Return the index of the entry with a key, or -1."""
        cdef Py_ssize_t size = PyList_GET_SIZE(<PyObject *>self.entries)
        cdef uint32_t wanted = <uint32_t>hash(key)
        cdef Py_ssize_t i = find_hash(self.hashes, wanted, 0, size)
        while i < size and (<tuple>self.entries[i])[0] != key:
            i = find_hash(self.hashes, wanted, i + 1, size)
        return i if i < size else -1

    cdef int append(self, tuple entry) except -1:
        cdef Py_ssize_t size = PyList_GET_SIZE(<PyObject *>self.entries)
        self._reserve(size + 1)
        self.hashes[size] = <uint32_t>hash(entry[0])
        self.entries.append(entry)
        return 0

    cdef int remove(self, Py_ssize_t index) except -1:
        cdef Py_ssize_t behind = PyList_GET_SIZE(<PyObject *>self.entries) - index - 1
        del self.entries[index]
        memmove(&self.hashes[index], &self.hashes[index + 1], behind * sizeof(uint32_t))
        return 0


cdef Keys keys_of(SignalBase signal, Keys outdated):
    """Return the keys of a signal's list, other than these; or None where they have no hashes.

    As look_up() in Python: without the lock, as this may run finalizers, so that the caller, once it has the lock,
    must look whether they are those of the list.
    """
    cdef Keys keys
    if may_have_dead(signal):
        wait_and_sweep(signal)
    receivers = entries_of(signal)
    if type(receivers) is not list:
        return None
    keys = kept_keys(signal)
    if keys is None or keys is outdated:
        keys = Keys(<list>receivers)
    return keys if keys.is_usable else None


cdef inline bint has_old_keys(SignalBase signal) noexcept:
    """Return whether there are keys of a list that was changed by others: their entries may hold receivers."""
    cdef Keys keys = kept_keys(signal)
    return keys is not None and not keys.same(entries_of(signal))


cdef int forget_old_keys(SignalBase signal) except -1:
    """Let go of them. Without the GIL only if nobody is using them: else who is sees to it."""
    if IS_FREE_THREADED and kept_keys(signal) is not None and signal.lock.acquire(False):
        try:
            forgotten = exchanged_keys(signal, None) if has_old_keys(signal) else None  # noqa: F841
        finally:
            signal.lock.release()
    elif not IS_FREE_THREADED and has_old_keys(signal):
        signal.keys = None
    return 0


cdef int append_entry(SignalBase signal, list receivers, tuple entry) except -1:
    # Not both in the signal's critical section: to wait for that of the list, a thread leaves the one that it is in.
    receivers.append(entry)
    with cython.critical_section(signal):
        signal.table_is_valid = False
    return 0


cdef bint take_entry(SignalBase signal, receivers, Keys keys, Py_ssize_t index) noexcept:
    """Take an entry, which the caller holds, off a list, if these are its keys, and return whether they are."""
    if not PyList_CheckExact(<PyObject *>receivers):
        return False
    with cython.critical_section(receivers, keys.entries):
        if not keys.same_locked(receivers):
            return False
        Py_XDECREF(take_item(<PyObject *>receivers, index))
    with cython.critical_section(signal):
        signal.table_is_valid = False
    return True


def add_entry(SignalBase signal not None, tuple entry not None):
    cdef Keys keys = None
    cdef Py_ssize_t index
    cdef bint is_swept = False
    while entry and compares_plainly(entry[0]):
        keys = keys_of(signal, keys)
        if keys is None:
            break
        # Not by `with`: in Cython that crashes where an exception finds no memory for its traceback.
        acquire, release = signal.lock.acquire, signal.lock.release
        acquire()
        try:
            # If so, nobody's code runs from here on, and nobody comes between.
            receivers = entries_of(signal)
            if not keys.same(receivers):
                continue
            index = keys.index(entry[0])
            if index < 0:
                keys.append(entry)
                append_entry(signal, <list>receivers, entry)
            else:
                found = keys.entries[index]
            keys = exchanged_keys(signal, keys)     # the old ones are let go of after the lock
        finally:
            release()
        if index < 0:
            return True
        if is_swept or is_alive(found):
            return False
        flag_dead(signal)
        is_swept = True
        keys = None
    return pure.add_entry(signal, entry)


def remove_entry(SignalBase signal not None, tuple key not None):
    cdef Keys keys = None
    cdef Py_ssize_t index
    cdef bint is_done
    while compares_plainly(key):
        keys = keys_of(signal, keys)
        if keys is None:
            break
        acquire, release = signal.lock.acquire, signal.lock.release
        acquire()
        try:
            receivers = entries_of(signal)
            index = keys.index(key)
            if index < 0:
                is_done = keys.same(receivers)
            else:
                removed = keys.entries[index]   # noqa: F841  # let go of after the lock
                is_done = take_entry(signal, receivers, keys, index)
                if is_done:
                    keys.remove(index)
            if is_done:
                keys = exchanged_keys(signal, keys)
                return index >= 0
        finally:
            release()
    is_removed = pure.remove_entry(signal, key)
    forget_old_keys(signal)
    return is_removed
