"""Adding and removing entries: makes the section of this name in csignals/_dispatch/pure.py fast.

A list is searched by the hashes of its keys. They are a memo, like the routing table: a signal has them with a copy of
the list, and the list is compared with the copy each time. Only keys of ints and strings have hashes, as comparing
others may run a program's code. Where a list holds other keys, or the key is another, pure.py does the work. What an
entry is made of is in csignals/signals.py.
"""

cdef enum:
    STEP = 16


def make_key(receiver, sender, dispatch_uid):
    """Return the key of a connection. Makes `pure.make_key` fast, by make_id()."""
    return (dispatch_uid or make_id(receiver), make_id(sender))


cdef object make_id(target):
    """Return the identity of a receiver or sender. Makes `common.make_id` fast for plain functions."""
    if target is None:
        return NONE_ID
    return PyLong_FromVoidPtr(<void *>target) if is_bare_function(<PyObject *>target) else python_make_id(target)


cdef inline bint is_bare_function(PyObject *target) noexcept:
    # A function with attributes may have __func__ or __wrapped__, or be marked as a coroutine function.
    return PyFunction_Check(target) and not has_attributes(target)


def code_flags(receiver):
    """Return the ``co_flags`` of a plain function or its method, or 0 where only `inspect` can tell what it is.

    Makes `pure.code_flags` fast: where it returns flags, signals.py needs no `inspect`.
    """
    function = PyMethod_GET_FUNCTION(receiver) if PyMethod_Check(receiver) else <PyObject *>receiver
    return co_flags(function) if is_bare_function(function) else 0


cdef bint compares_plainly(key, int depth=4) noexcept:
    """Return whether a key is made of ints and strings, in tuples of a limited depth."""
    if type(key) is tuple:
        for item in <tuple>key:
            if depth == 0 or not compares_plainly(item, depth - 1):
                return False
        return True
    return type(key) is int or type(key) is str


cdef inline Py_ssize_t find_hash(uint32_t *hashes, uint32_t wanted, Py_ssize_t i, Py_ssize_t size) noexcept:
    """Return the first index of `wanted` from `i` on, or `size`."""
    cdef bint is_near
    cdef int j
    while i + STEP <= size:     # C compilers turn this into a few vector instructions
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
@cython.no_gc_clear     # callbacks of weak references may connect to a signal that gc has cleared
cdef class Keys:
    """The hashes of the keys of a list. The table in _sharing.pxi says what protects them."""

    cdef list entries       # a copy of the list
    cdef uint32_t *hashes   # one for each entry
    cdef Py_ssize_t capacity
    cdef bint is_usable

    def __cinit__(self, list receivers not None):
        self.entries = list(receivers)    # a slice is not safe if a finalizer changes the list meanwhile
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
        # `entries` changes under the signal's lock, which a send does not have; but also in its own section.
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
    """Return the keys of a signal's list, but not `outdated`; or None where they have no hashes.

    Call it without the lock, like `pure.find_entry`, as it may run finalizers. The caller then takes the lock, and
    checks that these are still the keys of the list.
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
    """Return whether the keys are of an earlier state of the list: their entries may keep receivers alive."""
    cdef Keys keys = kept_keys(signal)
    return keys is not None and not keys.same(entries_of(signal))


cdef int forget_old_keys(SignalBase signal) except -1:
    """Drop keys of an earlier state of the list. Without the GIL, leave it to the thread that has the lock, if any."""
    if IS_FREE_THREADED and kept_keys(signal) is not None and signal.lock.acquire(False):
        try:
            forgotten = exchanged_keys(signal, None) if has_old_keys(signal) else None  # noqa: F841
        finally:
            signal.lock.release()
    elif not IS_FREE_THREADED and has_old_keys(signal):
        signal.keys = None
    return 0


cdef int append_entry(SignalBase signal, list receivers, tuple entry) except -1:
    # append() is not in the signal's section: a thread that waits for the list's section leaves the one that it is in.
    receivers.append(entry)
    with cython.critical_section(signal):
        signal.table_is_valid = False
    return 0


cdef bint take_entry(SignalBase signal, receivers, Keys keys, Py_ssize_t index) noexcept:
    """Remove an entry from a list if these are the list's keys, and return whether they are.

    The caller has a reference to the entry, so that it is not freed here.
    """
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
    """Append an entry to a signal's list unless its key is in it, and return whether the entry was appended.

    Makes `pure.add_entry` fast: it compares hashes in place of keys.
    """
    cdef Keys keys = None
    cdef Py_ssize_t index
    cdef bint is_swept = False
    while entry and compares_plainly(entry[0]):
        keys = keys_of(signal, keys)
        if keys is None:
            break
        # No `with`: in Cython, that crashes where there is no memory for an exception's traceback.
        acquire, release = signal.lock.acquire, signal.lock.release
        acquire()
        try:
            receivers = entries_of(signal)
            if not keys.same(receivers):
                continue
            # From here on, no program's code runs, and no other thread changes the list.
            index = keys.index(entry[0])
            if index < 0:
                keys.append(entry)
                append_entry(signal, <list>receivers, entry)
            else:
                found = keys.entries[index]
            keys = exchanged_keys(signal, keys)     # the old ones are freed after the lock is released
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
    """Remove the entry with a key from a signal's list, and return whether there was one.

    Makes `pure.remove_entry` fast: it compares hashes in place of keys.
    """
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
                removed = keys.entries[index]   # noqa: F841  # freed after the lock is released
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
