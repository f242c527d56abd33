"""Arguments, read as Python would for ``def send(self, sender, **named)``. The specification has no such section.

These functions find the sender among the arguments, and the names by which receivers get the others. Arguments that
Python would refuse go to the Python function, which raises Python's own TypeError.
"""

cdef inline bint is_name(PyObject *name, str expected) except -1:
    if name == <PyObject *>expected:
        return True
    return PyUnicode_Check(name) and not is_interned(name) and <object>name == expected


cdef inline Py_ssize_t find_sender(PyObject *names, Py_ssize_t nargs) except -2:
    """Return the index of the sender among all arguments, or -1 where Python would refuse them."""
    cdef Py_ssize_t i
    cdef PyObject *name
    if nargs == 0 and names != NULL:
        for i in range(PyTuple_GET_SIZE(names)):
            name = tuple_items(names)[i]
            if name == <PyObject *>SENDER:
                return i
            if is_name(name, SENDER):
                # Python takes a string that equals every string for the first parameter.
                return i if not is_name(name, SELF) else -1
    return 0 if nargs == 1 else -1


cdef inline bint are_plain(PyObject *names, Py_ssize_t nargs, Py_ssize_t sender_at) except -1:
    """Return whether no keyword is a `self`, `signal` or second `sender`, and all names are strings.

    Names may be other objects: functools and operator pass on the names they were given.
    """
    cdef Py_ssize_t i
    cdef PyObject *name
    if names != NULL:
        for i in range(not nargs and sender_at == 0, PyTuple_GET_SIZE(names)):
            name = tuple_items(names)[i]
            if not is_surely_plain(name) and (nargs or i != sender_at) and (
                not PyUnicode_Check(name) or is_name(name, SENDER) or is_name(name, SIGNAL) or is_name(name, SELF)
            ):
                return False
    return True


cdef inline bint is_surely_plain(PyObject *name) noexcept:
    return PyUnicode_CheckExact(name) and is_interned(name) and (
        name != <PyObject *>SENDER and name != <PyObject *>SIGNAL and name != <PyObject *>SELF
    )


cdef tuple outgoing_names(PyObject *names, Py_ssize_t nargs, Py_ssize_t sender_at):
    """Return `signal`, `sender` and the caller's other keyword names, in that order, or None where Python refuses."""
    if sender_at < 0 or not are_plain(names, nargs, sender_at):
        return None
    if names == NULL:
        return BARE_NAMES
    others = <tuple>names
    return BARE_NAMES + (others if nargs else others[:sender_at] + others[sender_at + 1:])


cdef dict named_arguments(PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    return {} if names == NULL else {name: <object>args[nargs + i] for i, name in enumerate(<tuple>names)}


cdef object call_python(function, self, PyObject *const *args, Py_ssize_t nargs, PyObject *names):
    """Call a function of the Python implementation with the same arguments."""
    return function(self, *[<object>args[i] for i in range(nargs)], **named_arguments(args, nargs, names))
