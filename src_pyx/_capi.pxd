# cython: language_level=3
"""The parts of CPython's C API that the engine needs and Cython does not declare, or declares as safer and
slower. A ``PyObject *`` that is returned by a function named ``new_...`` is a new reference."""

from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t

cdef extern from *:
    """
    /* A new reference to what a weak reference refers to; NULL, without an error, once that is dead. */
    static inline PyObject *csignals_referent(PyObject *ref) {
    #ifdef Py_GIL_DISABLED
        PyObject *referent;
        if (PyWeakref_GetRef(ref, &referent) < 0) PyErr_Clear();
        return referent;
    #else
        PyObject *referent = ((PyWeakReference *)ref)->wr_object;
        if (referent == Py_None || Py_REFCNT(referent) <= 0) return NULL;    /* dead, or just dying */
        Py_INCREF(referent);
        return referent;
    #endif
    }

    /* A new tuple of two references, both of which it takes over. */
    static inline PyObject *csignals_pair(PyObject *first, PyObject *second) {
        PyObject *pair = PyTuple_New(2);
        if (!pair) {
            Py_DECREF(first);
            Py_DECREF(second);
            return NULL;
        }
        PyTuple_SET_ITEM(pair, 0, first);
        PyTuple_SET_ITEM(pair, 1, second);
        return pair;
    }

    /* What a class has under a name: to be compared, not to be used. */
    static inline PyObject *csignals_lookup(PyTypeObject *type, PyObject *name) {
    #ifdef Py_GIL_DISABLED
        PyObject *found = _PyType_LookupRef(type, name);
        Py_XDECREF(found);
        return found;
    #else
        return _PyType_Lookup(type, name);
    #endif
    }

    /* The definition of the C method that a class has under a name, or NULL. */
    static inline PyMethodDef *csignals_method_def(PyTypeObject *type, PyObject *name) {
        PyMethodDef *method = NULL;
    #ifdef Py_GIL_DISABLED
        PyObject *found = _PyType_LookupRef(type, name);
        if (found && Py_IS_TYPE(found, &PyMethodDescr_Type)) method = ((PyMethodDescrObject *)found)->d_method;
        Py_XDECREF(found);
    #else
        PyObject *found = _PyType_Lookup(type, name);
        if (found && Py_IS_TYPE(found, &PyMethodDescr_Type)) method = ((PyMethodDescrObject *)found)->d_method;
    #endif
        return method;
    }

    /* The item of a dict that others may be changing, or None. Cython's dict.get() borrows it meanwhile. */
    static inline PyObject *csignals_get(PyObject *dict, PyObject *key) {
        PyObject *value;
    #ifdef Py_GIL_DISABLED
        if (PyDict_GetItemRef(dict, key, &value) < 0) return NULL;
    #else
        value = PyDict_GetItemWithError(dict, key);
        if (!value && PyErr_Occurred()) return NULL;
        Py_XINCREF(value);
    #endif
        return value ? value : Py_NewRef(Py_None);
    }

    /* The items of a list that threads share. The caller is in its critical section: CSIGNALS_CHECK_LOCKS makes sure
       that somebody is, with one thread as with many, so that the place is found without any luck. */
    static inline PyObject **csignals_shared_items(PyObject *list) {
    #if defined(Py_GIL_DISABLED) && defined(CSIGNALS_CHECK_LOCKS)
        if (!(_Py_atomic_load_uint8(&list->ob_mutex._bits) & 1))
            Py_FatalError("csignals looks into a list outside of its critical section");
    #endif
        return ((PyListObject *)list)->ob_item;
    }

    /* Take an item off a list, whose critical section the caller is in. Returns its reference. */
    static inline PyObject *csignals_take_item(PyObject *list, Py_ssize_t i) {
        PyObject **items = csignals_shared_items(list);
        Py_ssize_t size = PyList_GET_SIZE(list) - 1;
        PyObject *item = items[i];
    #ifdef Py_GIL_DISABLED
        /* As others may read without a lock. */
        for (; i < size; i++) _Py_atomic_store_ptr_release(&items[i], items[i + 1]);
        _Py_atomic_store_ssize_relaxed(&((PyVarObject *)list)->ob_size, size);
    #else
        memmove(items + i, items + i + 1, (size - i) * sizeof(PyObject *));
        Py_SET_SIZE(list, size);
    #endif
        return item;
    }

    /* The item of a dict that has this key, if it is in this place, where it usually is: quicker than a look-up, and
       runs nobody's code. Borrowed; NULL if another is there. */
    static inline PyObject *csignals_item_at(PyObject *dict, PyObject *key, Py_ssize_t place) {
        PyObject *found, *value;
        return PyDict_Next(dict, &place, &found, &value) && found == key ? value : NULL;
    }

    /* Whether a dict has a key; or, as to compare keys may run anybody's code, has let go of `held` meanwhile. */
    static inline int csignals_has_key(PyObject *dict, PyObject *key, PyObject *held) {
        int found;
        Py_INCREF(dict);
        Py_XINCREF(held);
        found = PyDict_Contains(dict, key);
        Py_DECREF(dict);    /* which may be the signal's no more, but hold as well */
        if (found == 0 && held && Py_REFCNT(held) == 1) found = 1;
        Py_XDECREF(held);
        return found;
    }

    /* Where a class keeps its instances' __dict__, given that a compiled base class put it there. */
    #define csignals_base_dict(o) ((PyObject **)((char *)(o) + Py_TYPE(o)->tp_dictoffset))

    /* Numbers and pointers that threads read and write at the same time, without the GIL. */
    #ifdef Py_GIL_DISABLED
    #define CSIGNALS_FREE_THREADED 1
    #define csignals_load(number) _Py_atomic_load_uint(number)  /* what is read after it, is read later */
    #define csignals_store(number, value) _Py_atomic_store_uint_relaxed((number), (value))
    #define csignals_has_dict(o) (_Py_atomic_load_ptr_relaxed(csignals_base_dict(o)) != NULL)
    #else
    #define CSIGNALS_FREE_THREADED 0
    #define csignals_load(number) (*(number))
    #define csignals_store(number, value) ((void)(*(number) = (value)))
    #define csignals_has_dict(o) (*csignals_base_dict(o) != NULL)
    #endif

    /* What changes whenever an attribute of the class or of its bases does; 0 if that is not known. */
    static inline unsigned int csignals_type_version(PyTypeObject *type) {
    #if PY_VERSION_HEX < 0x030C0000
        if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) return 0;
    #endif
        return csignals_load(&type->tp_version_tag);
    }

    /* Whether a function has a __dict__ with something in it. To ask for that would make one. */
    static inline int csignals_has_attributes(PyObject *function) {
        int has_any;
        PyObject *attributes;
    #ifdef Py_GIL_DISABLED
        Py_BEGIN_CRITICAL_SECTION(function);    /* in which another thread may make one */
    #endif
        attributes = ((PyFunctionObject *)function)->func_dict;
        has_any = attributes && PyDict_GET_SIZE(attributes);
    #ifdef Py_GIL_DISABLED
        Py_END_CRITICAL_SECTION();
    #endif
        return has_any;
    }

    #define csignals_co_flags(function) (((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags)

    /* Whether an object has no owner but the one who asks. */
    #ifdef Py_GIL_DISABLED
    #define csignals_is_unshared(o) 0
    #else
    #define csignals_is_unshared(o) (Py_REFCNT(o) == 1)
    #endif

    /* In ns, as time.perf_counter_ns(). */
    static inline int64_t csignals_perf_counter_ns(void) {
    #if PY_VERSION_HEX >= 0x030D0000
        PyTime_t now;
        return PyTime_PerfCounterRaw(&now) < 0 ? 0 : now;
    #else
        return _PyTime_GetPerfCounter();
    #endif
    }

    /* Have a context variable hold a value. */
    static inline int csignals_set_value(PyObject *variable, PyObject *value) {
        PyObject *token = PyContextVar_Set(variable, value);
        Py_XDECREF(token);
        return token ? 0 : -1;
    }

    /* A new instance of a class whose __new__ takes nothing. */
    static inline PyObject *csignals_new_instance(PyTypeObject *type) {
        PyObject *nothing = PyTuple_New(0);
        PyObject *instance = nothing ? type->tp_new(type, nothing, NULL) : NULL;
        Py_XDECREF(nothing);
        return instance;
    }

    /* As `except`: a new reference to the exception that is raised, which from now on is being handled, in place of
       `outer`. Cython's own takes it for granted that an exception has a traceback, but memory for one may lack. */
    static PyObject *csignals_handle(PyObject **outer) {
        PyObject *type, *error, *traceback;
        PyErr_GetExcInfo(&outer[0], &outer[1], &outer[2]);
        PyErr_Fetch(&type, &error, &traceback);
        PyErr_NormalizeException(&type, &error, &traceback);
        if (traceback) PyException_SetTraceback(error, traceback);
        Py_INCREF(error);
        PyErr_SetExcInfo(type, error, traceback);
        return error;
    }

    static void csignals_raise(PyObject *error) {
        Py_INCREF(Py_TYPE(error));
        Py_INCREF(error);
        PyErr_Restore((PyObject *)Py_TYPE(error), error, PyException_GetTraceback(error));
    }

    /* The hook of every send. What it costs shows a build without it. */
    #if defined(CSIGNALS_NO_HOOK)
    #define csignals_is_set(flag) 1
    #elif defined(__GNUC__)
    #define csignals_is_set(flag) __builtin_expect((flag) != 0, 1)
    #else
    #define csignals_is_set(flag) ((flag) != 0)
    #endif

    /* The context of contextvars that the thread is in: to tell it from others, and for nothing else. */
    #define csignals_context() ((void *)PyThreadState_Get()->context)

    #define csignals_is_interned(name) (PyUnicode_CHECK_INTERNED(name) != 0)
    #define csignals_is_generic_getattr(type) ((type)->tp_getattro == PyObject_GenericGetAttr)
    #define csignals_clear(o) Py_CLEAR(*(o))
    #define csignals_list_items(o) (((PyListObject *)(o))->ob_item)
    #define csignals_tuple_items(o) (((PyTupleObject *)(o))->ob_item)
    """
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc

    PyObject *new_referent "csignals_referent"(PyObject *ref) noexcept
    PyObject *new_pair "csignals_pair"(PyObject *first, PyObject *second) except NULL
    PyObject *item_at "csignals_item_at"(PyObject *dict, PyObject *key, Py_ssize_t place) noexcept
    int has_key "csignals_has_key"(PyObject *o, PyObject *key, PyObject *held) except -1
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
