# cython: language_level=3
"""Declares to Cython what _capi.h defines, and the parts of CPython's C API that Cython does not declare.

Functions named ``new_...`` return new references. Other functions that return a ``PyObject *`` return borrowed ones,
unless _capi.h says otherwise. The rest of CPython's C API is cimported from Cython's own declarations.
"""

from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t

cdef extern from "_capi.h":
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc

    PyObject *new_referent "csignals_referent"(PyObject *ref) noexcept
    PyObject *new_pair "csignals_pair"(PyObject *first, PyObject *second) except NULL
    PyObject *item_at "csignals_item_at"(PyObject *dict, PyObject *key, Py_ssize_t index) noexcept
    int has_key "csignals_has_key"(PyObject *dict, PyObject *key, PyObject *other) except -1
    object pair "csignals_pair"(PyObject *first, PyObject *second)
    bint is_generic_getattr "csignals_is_generic_getattr"(PyTypeObject *type) noexcept
    bint PyType_IsSubtype(PyTypeObject *type, PyTypeObject *base) noexcept
    bint has_attributes "csignals_has_attributes"(PyObject *function) noexcept
    int co_flags "csignals_co_flags"(PyObject *function) noexcept
    bint is_unshared "csignals_is_unshared"(PyObject *o) noexcept
    bint is_interned "csignals_is_interned"(PyObject *name) noexcept
    PyObject *lookup "csignals_lookup"(PyTypeObject *cls, PyObject *name) noexcept
    PyMethodDef *method_def "csignals_method_def"(PyTypeObject *cls, PyObject *name) noexcept
    object get "csignals_get"(object dict, object key)
    PyObject *take_item "csignals_take_item"(PyObject *items, Py_ssize_t i) noexcept
    bint IS_FREE_THREADED "CSIGNALS_FREE_THREADED"
    unsigned int load "csignals_load"(unsigned int *number) noexcept
    void store "csignals_store"(unsigned int *number, unsigned int value) noexcept
    bint has_dict "csignals_has_dict"(object o) noexcept
    unsigned int type_version "csignals_type_version"(PyTypeObject *type) noexcept
    PyObject **base_dict "csignals_base_dict"(object o) noexcept
    void clear "csignals_clear"(PyObject **o) noexcept
    PyObject **list_items "csignals_list_items"(PyObject *o) noexcept
    PyObject **shared_items "csignals_shared_items"(PyObject *o) noexcept
    PyObject **tuple_items "csignals_tuple_items"(PyObject *o) noexcept

    bint PyErr_ExceptionMatches(object cls) noexcept
    object handle "csignals_handle"(PyObject **outer)
    void PyErr_SetExcInfo(PyObject *cls, PyObject *error, PyObject *traceback) noexcept   # takes over the references
    void set_raised "csignals_raise"(object error) noexcept

    int64_t perf_counter_ns "csignals_perf_counter_ns"() noexcept
    bint is_set "csignals_is_set"(bint flag) noexcept
    void *current_context "csignals_context"() noexcept
    object new_instance "csignals_new_instance"(PyTypeObject *cls)
    int set_value "csignals_set_value"(object variable, object value) except -1

    bint PREFERS_NO_DICT "(PY_VERSION_HEX >= 0x030C0000)"
    PyObject *Py_False      # <PyObject *>False is a null pointer to Cython
    int METH_FASTCALL
    int METH_KEYWORDS
    size_t PY_VECTORCALL_ARGUMENTS_OFFSET
    int PyContextVar_Get(object variable, PyObject *default, PyObject **value) except -1
    unsigned long PyThread_get_thread_ident() noexcept
    Py_ssize_t PyDict_GET_SIZE(PyObject *o) noexcept
    bint PyFunction_Check(PyObject *o) noexcept
    bint PyList_CheckExact(PyObject *o) noexcept
    Py_ssize_t PyList_GET_SIZE(PyObject *o) noexcept
    PyObject *PyTuple_GET_ITEM(PyObject *o, Py_ssize_t i) noexcept
    Py_ssize_t PyTuple_GET_SIZE(PyObject *o) noexcept
    bint PyUnicode_Check(PyObject *o) noexcept
    bint PyUnicode_CheckExact(PyObject *o) noexcept
    bint PyWeakref_CheckRef(PyObject *o) noexcept
    bint PyWeakref_CheckRefExact(PyObject *o) noexcept
    object PyDescr_NewMethod(PyTypeObject *type, PyMethodDef *method)
    object PyObject_GenericGetDict(object o, void *context)
    PyObject *call "PyObject_Vectorcall"(PyObject *callable, PyObject **args, size_t nargs, PyObject *names) except NULL
    bint PyMethod_Check(object o) noexcept
    PyObject *PyMethod_GET_FUNCTION(object o) noexcept
    object called "PyObject_Vectorcall"(PyObject *callable, PyObject **args, size_t nargs, PyObject *names)
    PyObject *PyMethod_New(PyObject *function, PyObject *instance) except NULL
    PyObject *PyObject_Vectorcall(PyObject *callable, PyObject **args, size_t nargs, PyObject *names) noexcept
