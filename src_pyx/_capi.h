/* C functions for csignals' compiled half: parts of CPython's C API that Cython does not declare, or declares with
   slower checks. No logic of csignals is here.

   _capi.pxd declares them to Cython. A function that returns a `PyObject *` returns a new reference unless it says that
   the reference is borrowed.

   These parts of CPython are private, or differ between its versions. Check each of them when you add a new CPython:

   part of CPython                  why csignals uses it                          what to look at in a new CPython
   -------------------------------  --------------------------------------------  -------------------------------------
   PyWeakReference.wr_object        PyWeakref_GetRef() is slower, and came with   whether it is None or unreferenced
                                    3.13                                          once the referent is dead
   _PyType_Lookup, and without the  tells whether a class has csignals' own       whether it is exported, and still
   GIL _PyType_LookupRef            method without calling a descriptor           compares keys of the class's namespace
   PyMethodDescrObject.d_method     names the C function behind a method          the struct in cpython/descrobject.h
   PyTypeObject.tp_version_tag,     one number tells whether a class has changed  whether each change of a class or
   before 3.12 with the flag                                                      of a base gives another number, or 0
   Py_TPFLAGS_VALID_VERSION_TAG
   PyTypeObject.tp_dictoffset       finds an instance's __dict__ without a call   whether the offset of a class with a
                                                                                  compiled base still is positive
   PyListObject.ob_item, ob_size    compares a list's items by memcmp, and        how list.pop() and concurrent reads
                                    removes an item without freeing it            are ordered (listobject.c)
   PyTupleObject.ob_item            the same                                      the struct in cpython/tupleobject.h
   the position of PyDict_Next      finds a signal's attributes at their usual    whether it is an index of the entries
                                    index                                         in the order of their insertion
   PyFunctionObject.func_dict       tells whether a function has attributes,      the struct in cpython/funcobject.h
                                    without giving it a dict for them
   PyCodeObject.co_flags            tells async and **kwargs functions            the struct in cpython/code.h
   a reference count of 1           tells that no other code has a list           whether other code may borrow a list
                                                                                  that has a count of 1
   PyThreadState.context            tells contexts from each other                the struct in cpython/pystate.h
   _PyTime_GetPerfCounter, before   reads the clock of time.perf_counter_ns()     nothing: 3.13 has a public function
   3.13
   _Py_atomic_..., without the GIL  numbers and pointers that threads share       the names in cpython/pyatomic.h
   PyObject.ob_mutex, in checks     asserts that a thread is in a list's section  the struct in object.h
   PyErr_Fetch, PyErr_Restore       handles an exception without a traceback      they are deprecated since 3.12 */

#ifndef CSIGNALS_CAPI_H
#define CSIGNALS_CAPI_H

#include <Python.h>

/* A new reference to the referent of a weak reference; NULL, without an error, once the referent is dead. */
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

/* A new tuple of two objects. It takes over both references. */
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

/* The attribute of a class. Compare the pointer, but do not use the object. */
static inline PyObject *csignals_lookup(PyTypeObject *type, PyObject *name) {
#ifdef Py_GIL_DISABLED
    PyObject *found = _PyType_LookupRef(type, name);
    Py_XDECREF(found);
    return found;
#else
    return _PyType_Lookup(type, name);
#endif
}

/* The definition of a class's C method, or NULL where the attribute is not a C method. */
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

/* The value of a key in a dict that other threads may change, or None. Cython's dict.get() would borrow it. */
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

/* The items of a list that threads share. Call it in the list's critical section: CSIGNALS_CHECK_LOCKS checks that a
   thread is in it, so that a test with one thread finds a call outside of it. */
static inline PyObject **csignals_shared_items(PyObject *list) {
#if defined(Py_GIL_DISABLED) && defined(CSIGNALS_CHECK_LOCKS)
    if (!(_Py_atomic_load_uint8(&list->ob_mutex._bits) & 1))
        Py_FatalError("csignals reads a list outside of the list's critical section");
#endif
    return ((PyListObject *)list)->ob_item;
}

/* Remove an item from a list, in the list's critical section, and return the list's reference to it. */
static inline PyObject *csignals_take_item(PyObject *list, Py_ssize_t i) {
    PyObject **items = csignals_shared_items(list);
    Py_ssize_t size = PyList_GET_SIZE(list) - 1;
    PyObject *item = items[i];
#ifdef Py_GIL_DISABLED
    /* Atomic, as other threads may read without a lock. */
    for (; i < size; i++) _Py_atomic_store_ptr_release(&items[i], items[i + 1]);
    _Py_atomic_store_ssize_relaxed(&((PyVarObject *)list)->ob_size, size);
#else
    memmove(items + i, items + i + 1, (size - i) * sizeof(PyObject *));
    Py_SET_SIZE(list, size);
#endif
    return item;
}

/* A borrowed reference to the value of a key in a dict if the key is at the given index, else NULL. It is faster than a
   look-up, and compares no keys by value. */
static inline PyObject *csignals_item_at(PyObject *dict, PyObject *key, Py_ssize_t index) {
    PyObject *found, *value;
    return PyDict_Next(dict, &index, &found, &value) && found == key ? value : NULL;
}

/* Whether a dict has a key. Also 1 if `other` lost its last other owner meanwhile, as comparing keys may run code. */
static inline int csignals_has_key(PyObject *dict, PyObject *key, PyObject *other) {
    int found;
    Py_INCREF(dict);
    Py_XINCREF(other);
    found = PyDict_Contains(dict, key);
    Py_DECREF(dict);    /* first: if the signal dropped its dict, this frees the dict, which may own `other` */
    if (found == 0 && other && Py_REFCNT(other) == 1) found = 1;
    Py_XDECREF(other);
    return found;
}

/* The place of an instance's __dict__, where a compiled base class has reserved it. */
#define csignals_base_dict(o) ((PyObject **)((char *)(o) + Py_TYPE(o)->tp_dictoffset))

/* Numbers and pointers that threads read and write at the same time, without the GIL. */
#ifdef Py_GIL_DISABLED
#define CSIGNALS_FREE_THREADED 1
#define csignals_load(number) _Py_atomic_load_uint(number)  /* no later read moves before it */
#define csignals_store(number, value) _Py_atomic_store_uint_relaxed((number), (value))
#define csignals_has_dict(o) (_Py_atomic_load_ptr_relaxed(csignals_base_dict(o)) != NULL)
#else
#define CSIGNALS_FREE_THREADED 0
#define csignals_load(number) (*(number))
#define csignals_store(number, value) ((void)(*(number) = (value)))
#define csignals_has_dict(o) (*csignals_base_dict(o) != NULL)
#endif

/* A number that changes with each attribute of a class or of its bases; 0 if the class has none. */
static inline unsigned int csignals_type_version(PyTypeObject *type) {
#if PY_VERSION_HEX < 0x030C0000
    if (!PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG)) return 0;
#endif
    return csignals_load(&type->tp_version_tag);
}

/* Whether a function has attributes. Reading its __dict__ from Python would make one. */
static inline int csignals_has_attributes(PyObject *function) {
    int has_any;
    PyObject *attributes;
#ifdef Py_GIL_DISABLED
    Py_BEGIN_CRITICAL_SECTION(function);    /* another thread may make the dict */
#endif
    attributes = ((PyFunctionObject *)function)->func_dict;
    has_any = attributes && PyDict_GET_SIZE(attributes);
#ifdef Py_GIL_DISABLED
    Py_END_CRITICAL_SECTION();
#endif
    return has_any;
}

#define csignals_co_flags(function) (((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags)

/* Whether the caller has the only reference to an object. */
#ifdef Py_GIL_DISABLED
#define csignals_is_unshared(o) 0
#else
#define csignals_is_unshared(o) (Py_REFCNT(o) == 1)
#endif

/* The clock of time.perf_counter_ns(). */
static inline int64_t csignals_perf_counter_ns(void) {
#if PY_VERSION_HEX >= 0x030D0000
    PyTime_t now;
    return PyTime_PerfCounterRaw(&now) < 0 ? 0 : now;
#else
    return _PyTime_GetPerfCounter();
#endif
}

/* Set a context variable. */
static inline int csignals_set_value(PyObject *variable, PyObject *value) {
    PyObject *token = PyContextVar_Set(variable, value);
    Py_XDECREF(token);
    return token ? 0 : -1;
}

/* A new instance of a class, without a call of __init__(). */
static inline PyObject *csignals_new_instance(PyTypeObject *type) {
    PyObject *nothing = PyTuple_New(0);
    PyObject *instance = nothing ? type->tp_new(type, nothing, NULL) : NULL;
    Py_XDECREF(nothing);
    return instance;
}

/* Do what `except` does: return a new reference to the raised exception, which is being handled from now on, and store
   in `outer` the exception that was being handled before. Cython's `except` fails on an exception without a traceback,
   which is raised when memory runs out. */
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

/* Raise an exception again, with its own traceback. */
static void csignals_raise(PyObject *error) {
    Py_INCREF(Py_TYPE(error));
    Py_INCREF(error);
    PyErr_Restore((PyObject *)Py_TYPE(error), error, PyException_GetTraceback(error));
}

/* Whether a flag is set, expected to be: the flag that every send tests. CSIGNALS_NO_HOOK builds without the test, to
   measure its cost. */
#if defined(CSIGNALS_NO_HOOK)
#define csignals_is_set(flag) 1
#elif defined(__GNUC__)
#define csignals_is_set(flag) __builtin_expect((flag) != 0, 1)
#else
#define csignals_is_set(flag) ((flag) != 0)
#endif

/* The current context of contextvars. Compare the pointer, but do not use the object. */
#define csignals_context() ((void *)PyThreadState_Get()->context)

#define csignals_is_interned(name) (PyUnicode_CHECK_INTERNED(name) != 0)
#define csignals_is_generic_getattr(type) ((type)->tp_getattro == PyObject_GenericGetAttr)
#define csignals_clear(o) Py_CLEAR(*(o))
#define csignals_list_items(o) (((PyListObject *)(o))->ob_item)
#define csignals_tuple_items(o) (((PyTupleObject *)(o))->ob_item)

#endif
