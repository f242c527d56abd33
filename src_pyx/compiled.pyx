# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The compiled dispatcher: what ``csignals/_dispatch/pure.py`` specifies, made fast. Read that file first.

Each section of the specification has a part, which this file includes, in the same order. "Makes `pure.add_entry`
fast" in a docstring names the function of the specification; the two have the same name (with ``fast_`` before it where
CPython calls it with an array of arguments):

    _routing_table.pxi    the routing table
    _registration.pxi     adding and removing entries
    _interception.pxi     interception
    _signal_base.pxi      a signal's state
    _receivers.pxi        finding the receivers of a send
    _methods.pxi          the methods of a signal, with the hot loop
    this file             the methods of each class of signals
    _tracing.pxi          what a trace records, as pure_records.py specifies it

Parts without a section there: how a send reads its signal (_view.pxi), how threads share data without the GIL
(_sharing.pxi), and the arguments of a call (_arguments.pxi). Rare cases (a wrong call, an async receiver, a dead entry,
a muted signal) are not here: Python code does them, the same as in the fallback.

A ``PyObject *`` is a borrowed reference unless the comment beside it says otherwise.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.list cimport PyList_New
from cpython.long cimport PyLong_AsVoidPtr, PyLong_FromVoidPtr
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject
from cpython.ref cimport Py_XDECREF, Py_XINCREF
from cpython.tuple cimport PyTuple_Check, PyTuple_CheckExact
from cpython.type cimport PyType_Check
from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memmove

from _capi cimport (
    IS_FREE_THREADED, METH_FASTCALL, METH_KEYWORDS, PREFERS_NO_DICT, PY_VECTORCALL_ARGUMENTS_OFFSET,
    PyContextVar_Get, PyDescr_NewMethod, PyDict_GET_SIZE, PyErr_ExceptionMatches, PyErr_SetExcInfo,
    PyFunction_Check, PyList_CheckExact, PyList_GET_SIZE, PyMethodDef, PyMethod_Check, PyMethod_GET_FUNCTION,
    PyMethod_New, PyObject_GenericGetDict, PyObject_Vectorcall, PyThread_get_thread_ident, PyTuple_GET_ITEM,
    PyTuple_GET_SIZE, PyType_IsSubtype, PyUnicode_Check, PyUnicode_CheckExact, PyWeakref_CheckRef,
    PyWeakref_CheckRefExact, Py_False, base_dict, call, called, clear, co_flags, current_context, get, handle,
    has_attributes, has_dict, has_key, is_generic_getattr, is_interned, is_set, is_unshared, item_at, list_items,
    load, lookup, method_def, new_instance, new_pair, new_referent, pair, perf_counter_ns, set_raised, set_value,
    shared_items, store, take_item, tuple_items, type_version,
)

from contextvars import ContextVar
from types import MethodType
from weakref import WeakMethod

from csignals._dispatch import pure
from csignals._dispatch.common import (
    NONE_ID, StrongRef, config_of, is_alive, make_id as python_make_id, split_sync_async, store_no_receivers_locked,
    store_table, sweep, under_lock, wait_and_sweep,
)
from csignals._dispatch.pure import python_send
from csignals._dispatch.pure_records import describe_exception
from csignals._introspection import naming
from csignals._introspection.naming import describe, describe_sender

cdef enum:
    STACK_SLOTS = 32    # up to this number, a send keeps its arguments and receivers on the C stack, else on the heap

cdef str SIGNAL = "signal"
cdef str SENDER = "sender"
cdef str SELF = "self"
cdef str RECEIVERS = "receivers"
cdef str LIVE_RECEIVERS = "_live_receivers"
cdef str DEAD_RECEIVERS = "_dead_receivers"
cdef str TABLE = "_csignals_table"
cdef tuple BARE_NAMES = (SIGNAL, SENDER)
cdef object DELETED = object()

# Cython does not check for an exception after a call through these types. The callers check the result themselves,
# after what must be done first. They use no `finally`, as Cython saves and restores exceptions around it.
ctypedef int (*Log)(object, object, object) noexcept
ctypedef PyObject *(*RecordedCall)(Slots *, PyObject *, PyObject *, object) noexcept

cdef PyTypeObject *signal_class     # csignals.Signal


@cython.auto_pickle(False)
@cython.final
cdef class MergedConfig:
    """The configurations of all classes in one, so that a send need not look for its own. Replaced, never changed."""

    cdef object wrapper         # a KnownWrapper or None
    cdef object no_receivers
    cdef bint any_live_lists
    cdef tuple framed           # the signals whose send() runs in Python: see DispatchConfig.keep_frames

    def __cinit__(self):
        self.framed = ()


cdef MergedConfig merged_config = MergedConfig.__new__(MergedConfig)
cdef tuple scopes = ()              # the wrapper's: see KnownWrapper.scopes
cdef object CONFIGS = object()      # these two are replaced in its critical section


cdef inline MergedConfig merged_config_now():
    with cython.critical_section(CONFIGS):
        return merged_config


cdef inline tuple scopes_now():
    with cython.critical_section(CONFIGS):
        return scopes


cdef PyMethodDef LIVE_RECEIVERS_DEF
cdef PyMethodDef LIVE_LIST_DEF
cdef PyMethodDef HAS_LISTENERS_DEF
cdef PyMethodDef SEND_DEF
cdef PyMethodDef SEND_ROBUST_DEF


include "_routing_table.pxi"
include "_registration.pxi"
include "_interception.pxi"
include "_signal_base.pxi"
include "_view.pxi"
include "_sharing.pxi"
include "_arguments.pxi"
include "_tracing.pxi"
include "_receivers.pxi"
include "_methods.pxi"


# --- The methods of each class of signals --------------------------------------------------------------------

cdef list TEXTS = []    # keeps alive the strings that the definitions point to


cdef int define(PyMethodDef *method, void *function, specification, str parameters) except -1:
    """Define a method by its C function, and by the name and docstring of its specification."""
    name = specification.__qualname__.rpartition(".")[2]
    text = name.encode(), f"{name}{parameters}\n--\n\n{specification.__doc__}".encode()
    TEXTS.append(text)
    method.ml_name, method.ml_doc = text[0], text[1]
    method.ml_meth = function
    method.ml_flags = METH_FASTCALL | METH_KEYWORDS
    return 0


define(&LIVE_RECEIVERS_DEF, <void *>fast_live_receivers, pure.live_receivers, "($self, sender)")
define(&LIVE_LIST_DEF, <void *>fast_live_list, pure.live_list, "($self, sender)")
define(&HAS_LISTENERS_DEF, <void *>fast_has_listeners, pure.has_listeners, "($self, sender=None)")
define(&SEND_DEF, <void *>fast_send, pure.send, "($self, sender, **named)")
define(&SEND_ROBUST_DEF, <void *>fast_send_robust, pure.send_robust, "($self, sender, **named)")


def methods(type cls, config):
    """Return the methods with which this implementation dispatches a class of signals.

    Makes `pure.methods` fast: its methods are C functions.
    """
    global signal_class, merged_config
    cdef PyMethodDef *live = &LIVE_LIST_DEF if config.has_live_list else &LIVE_RECEIVERS_DEF
    if issubclass(cls, SignalBase):
        signal_class = <PyTypeObject *>cls
    pure.methods(cls, config)    # which adds the configuration
    cdef MergedConfig known = merged_config_now(), following = MergedConfig.__new__(MergedConfig)
    following.wrapper = config.wrapper or known.wrapper
    following.no_receivers = pure.no_receivers
    following.any_live_lists = known.any_live_lists or config.has_live_list
    following.framed = known.framed + config.keep_frames
    with cython.critical_section(CONFIGS):
        following, merged_config = merged_config, following
    return {
        "_live_receivers": PyDescr_NewMethod(<PyTypeObject *>cls, live),
        "has_listeners": PyDescr_NewMethod(<PyTypeObject *>cls, &HAS_LISTENERS_DEF),
        "send": PyDescr_NewMethod(<PyTypeObject *>cls, &SEND_DEF),
        "send_robust": PyDescr_NewMethod(<PyTypeObject *>cls, &SEND_ROBUST_DEF),
    }
