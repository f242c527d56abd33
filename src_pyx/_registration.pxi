"""How entries come to a signal's list and go: a part of _dispatch_c.pyx, which includes it.

A list is searched by the hashes of its keys. They are a memo as the routing table is: kept beside a copy of the
list, with which the list is compared each time. Only keys that compare without running anybody's code have one;
where a list holds others, or the key is another, csignals/_dispatch_py.py does the work.
"""

cdef bint compares_plainly(key) noexcept:
    """Return whether a key is made of ints and strings."""
    if type(key) is tuple:
        for item in <tuple>key:
            if not compares_plainly(item):
                return False
        return True
    return type(key) is int or type(key) is str


cdef inline Py_ssize_t find_hash(uint32_t *hashes, uint32_t wanted, Py_ssize_t i, Py_ssize_t size) noexcept:
    """Return the first index from `i` on where `wanted` is, or `size`."""
    cdef bint is_near
    cdef int j
    while i + 16 <= size:       # C compilers make a few vector instructions of this
        is_near = False
        for j in range(16):
            is_near |= hashes[i + j] == wanted
        if is_near:
            break
        i += 16
    while i < size and hashes[i] != wanted:
        i += 1
    return i


@cython.auto_pickle(False)
@cython.final
cdef class Keys:
    """The hashes of the keys of a list. To be used under the signal's lock."""

    cdef list entries       # what was in the list
    cdef uint32_t *hashes   # as many
    cdef Py_ssize_t room
    cdef bint is_usable

    def __cinit__(self, list receivers not None):
        self.entries = receivers[:]
        self.is_usable = True
        self._reserve(len(self.entries))
        for i, entry in enumerate(self.entries):
            if type(entry) is not tuple or not compares_plainly((<tuple>entry)[0]):
                self.is_usable = False
                break
            self.hashes[i] = <uint32_t>hash((<tuple>entry)[0])

    def __dealloc__(self):
        PyMem_Free(self.hashes)

    cdef int _reserve(self, Py_ssize_t room) except -1:
        if room > self.room:
            room += room >> 2
            hashes = <uint32_t *>PyMem_Realloc(self.hashes, room * sizeof(uint32_t))
            if hashes == NULL:
                raise MemoryError
            self.hashes = hashes
            self.room = room
        return 0

    cdef inline bint same(self, list receivers) noexcept:
        cdef Py_ssize_t size = PyList_GET_SIZE(<PyObject *>receivers)
        return size == PyList_GET_SIZE(<PyObject *>self.entries) and same_items(
            list_items(<PyObject *>receivers), list_items(<PyObject *>self.entries), size
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


cdef Keys keys_of(SignalBase signal, list dropped):
    """Return the keys of a signal's list, or None where they have no hashes. The caller holds the lock.

    What is put in `dropped` must be let go of after the lock, as that may run finalizers.
    """
    cdef Keys keys = signal.keys
    if signal._dead_receivers:
        dropped.append(signal._clear_dead_receivers())
    while type(signal.entries) is list:
        if keys is not None and keys.same(<list>signal.entries):
            return keys if keys.is_usable else None
        dropped.append(keys)
        signal.keys = keys = Keys(<list>signal.entries)    # which may run finalizers, so look again
    return None


cdef int forget_keys(SignalBase signal) except -1:
    """Let go of the keys of a list that was changed by hand: their entries may hold receivers."""
    cdef Keys keys = signal.keys
    if keys is not None and not (type(signal.entries) is list and keys.same(<list>signal.entries)):
        signal.keys = None
    return 0


def make_key(receiver, sender, dispatch_uid):
    return (dispatch_uid or id_of(receiver), id_of(sender))


cdef object id_of(target):
    if target is None:
        return NONE_ID
    return PyLong_FromVoidPtr(<void *>target) if PyFunction_Check(<PyObject *>target) else make_id(target)


def code_flags(receiver):
    """Return the ``co_flags`` of a plain function or its method, or 0 where only `inspect` knows what it is."""
    function = PyMethod_GET_FUNCTION(receiver) if PyMethod_Check(receiver) else <PyObject *>receiver
    # With attributes, it may be marked as what it is not, or wrap another.
    if PyFunction_Check(function) and not has_attributes(function):
        return co_flags(function)
    return 0


def add_entry(SignalBase signal, tuple entry):
    cdef Keys keys
    cdef list dropped = []
    if compares_plainly(entry[0]):
        with signal.lock:
            keys = keys_of(signal, dropped)
            if keys is not None:
                # From here on nobody's code runs, and nobody comes between.
                if keys.index(entry[0]) < 0:
                    signal.is_settled = False
                    keys.append(entry)
                    (<list>signal.entries).append(entry)
                return
    _dispatch_py.add_entry(signal, entry)


def remove_entry(SignalBase signal, tuple key):
    cdef Keys keys
    cdef list dropped = []
    cdef Py_ssize_t index
    if compares_plainly(key):
        with signal.lock:
            keys = keys_of(signal, dropped)
            if keys is not None:
                index = keys.index(key)
                if index >= 0:
                    signal.is_settled = False
                    dropped.append(keys.entries[index])
                    keys.remove(index)
                    del (<list>signal.entries)[index]
                return index >= 0
    return _dispatch_py.remove_entry(signal, key)
