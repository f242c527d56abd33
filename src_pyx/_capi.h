/* The C that csignals' compiled half needs: what Cython does not declare, or declares as safer and slower.

   _capi.pxd declares it to Cython. A function that returns a `PyObject *` returns a new reference unless it says that
   the reference is borrowed.

   These parts of CPython are private, or differ between its versions. Check each of them when you add a new CPython:

   part of CPython                  why csignals uses it                          what to look at in a new CPython
   -------------------------------  --------------------------------------------  ---------------------------------------
   PyWeakReference.wr_object        PyWeakref_GetRef() is slower, and came with   whether it is None, or has no references,
                                    3.13                                          once the referent is dead
   _PyType_Lookup, and without the  tells whether a class has csignals' own       whether it is still exported, and still
   GIL _PyType_LookupRef            method without calling a descriptor           compares keys of the class's namespace
   PyMethodDescrObject.d_method     names the C function behind a method          the struct in cpython/descrobject.h
   PyTypeObject.tp_version_tag,     a class that has not changed is known by one  whether each change of a class or of its
   before 3.12 with the flag        number                                        bases gives it another number, or 0
   Py_TPFLAGS_VALID_VERSION_TAG
   PyTypeObject.tp_dictoffset       finds an instance's __dict__ without a call   whether the offset of a class with a
                                                                                  compiled base still is positive
   PyListObject.ob_item, ob_size    compares a list's items by memcmp, and takes  how list.pop() and other threads' reads
                                    one out without letting go of it              are ordered (listobject.c)
   PyTupleObject.ob_item            the same                                      the struct in cpython/tupleobject.h
   the position of PyDict_Next      finds what a signal has in its usual place    whether it is an index into the entries,
                                                                                  in the order of their insertion
   PyFunctionObject.func_dict       tells whether a function has attributes,      the struct in cpython/funcobject.h
                                    without giving it a dict for them
   PyCodeObject.co_flags            tells async and **kwargs functions            the struct in cpython/code.h
   a reference count of 1           nobody else can have had a list               whether a list that others can reach may
                                                                                  have a count of 1 (borrowed references)
   PyThreadState.context            tells contexts from each other                the struct in cpython/pystate.h
   _PyTime_GetPerfCounter, before   reads the clock of time.perf_counter_ns()     nothing: 3.13 has PyTime_PerfCounterRaw
   3.13
   _Py_atomic_..., without the GIL  numbers and pointers that threads share       the names in cpython/pyatomic.h
   PyObject.ob_mutex, in checks     asserts that a list's section is entered      the struct in object.h
   PyErr_Fetch, PyErr_Restore       handles an exception without a traceback      they are deprecated since 3.12 */

#ifndef CSIGNALS_CAPI_H
#define CSIGNALS_CAPI_H

#include <Python.h>

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

#endif
