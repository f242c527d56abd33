/* The least that a dispatcher of (receiver, response) pairs must do in C, and nothing else: the floor of the benchmarks.

   Floor(receivers).send(sender=..., **named) calls each receiver, which it holds strongly, as
   receiver(signal=, sender=, **named) with a kept tuple of keyword names, and returns the list of pairs. It makes a bound
   method again for each call, of its function and its instance, as a dispatcher with weak references must. It has no weak
   references, no other senders and no checks of the call: the sender must be the first keyword. `send` without receivers
   is also the floor of a send that calls no receiver. Not thread-safe. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define MAX_NAMED 16

typedef struct {
    PyObject_HEAD
    PyObject *receivers;    /* a tuple; of bound methods, their functions */
    PyObject *instances;    /* a tuple: those of bound methods, else None */
    PyObject *names_in;     /* the caller's keyword names, last time */
    PyObject *names_out;    /* "signal" before them */
} Floor;

static int
remember(Floor *self, PyObject *names)
{
    Py_ssize_t size = PyTuple_GET_SIZE(names);
    PyObject *out = PyTuple_New(size + 1);
    if (!out)
        return -1;
    PyTuple_SET_ITEM(out, 0, PyUnicode_InternFromString("signal"));
    for (Py_ssize_t i = 0; i < size; i++) {
        Py_INCREF(PyTuple_GET_ITEM(names, i));
        PyTuple_SET_ITEM(out, i + 1, PyTuple_GET_ITEM(names, i));
    }
    Py_INCREF(names);
    Py_XSETREF(self->names_in, names);
    Py_XSETREF(self->names_out, out);
    return 0;
}

static PyObject *
floor_send(PyObject *o, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Floor *self = (Floor *)o;
    PyObject *arguments[MAX_NAMED + 2];
    Py_ssize_t size = PyTuple_GET_SIZE(self->receivers);
    if (nargs || !names || PyTuple_GET_SIZE(names) > MAX_NAMED) {
        PyErr_SetString(PyExc_TypeError, "send() takes keyword arguments only, the sender first");
        return NULL;
    }
    PyObject *responses = PyList_New(size);
    if (!responses || !size)
        return responses;
    if (names != self->names_in && remember(self, names) < 0) {
        Py_DECREF(responses);
        return NULL;
    }
    arguments[1] = o;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++)
        arguments[i + 2] = args[i];
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *receiver = PyTuple_GET_ITEM(self->receivers, i);
        PyObject *instance = PyTuple_GET_ITEM(self->instances, i);
        if (instance == Py_None)
            Py_INCREF(receiver);
        else if (!(receiver = PyMethod_New(receiver, instance))) {
            Py_DECREF(responses);
            return NULL;
        }
        PyObject *response = PyObject_Vectorcall(
            receiver, arguments + 1, PY_VECTORCALL_ARGUMENTS_OFFSET, self->names_out);
        PyObject *pair = response ? PyTuple_New(2) : NULL;
        if (!pair) {
            Py_XDECREF(response);
            Py_DECREF(receiver);
            Py_DECREF(responses);
            return NULL;
        }
        PyTuple_SET_ITEM(pair, 0, receiver);
        PyTuple_SET_ITEM(pair, 1, response);
        PyList_SET_ITEM(responses, i, pair);
    }
    return responses;
}

static PyObject *
floor_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *given, *receivers;
    if (!PyArg_ParseTuple(args, "O:Floor", &given) || !(receivers = PySequence_Tuple(given)))
        return NULL;
    Py_ssize_t size = PyTuple_GET_SIZE(receivers);
    Floor *self = (Floor *)type->tp_alloc(type, 0);
    if (!self || !(self->receivers = PyTuple_New(size)) || !(self->instances = PyTuple_New(size))) {
        Py_XDECREF(self);
        Py_DECREF(receivers);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *receiver = PyTuple_GET_ITEM(receivers, i);
        int is_method = PyMethod_Check(receiver);
        PyTuple_SET_ITEM(self->receivers, i, Py_NewRef(is_method ? PyMethod_GET_FUNCTION(receiver) : receiver));
        PyTuple_SET_ITEM(self->instances, i, Py_NewRef(is_method ? PyMethod_GET_SELF(receiver) : Py_None));
    }
    Py_DECREF(receivers);
    return (PyObject *)self;
}

static void
floor_dealloc(PyObject *o)
{
    Floor *self = (Floor *)o;
    Py_XDECREF(self->receivers);
    Py_XDECREF(self->instances);
    Py_XDECREF(self->names_in);
    Py_XDECREF(self->names_out);
    Py_TYPE(o)->tp_free(o);
}

static PyMethodDef methods[] = {
    {"send", (PyCFunction)(void (*)(void))floor_send, METH_FASTCALL | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject FloorType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "floor.Floor",
    .tp_basicsize = sizeof(Floor),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = floor_new,
    .tp_dealloc = floor_dealloc,
    .tp_methods = methods,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "floor", .m_size = -1};

PyMODINIT_FUNC
PyInit_floor(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m && PyModule_AddType(m, &FloorType) < 0)
        Py_CLEAR(m);
#ifdef Py_GIL_DISABLED
    if (m)
        PyUnstable_Module_SetGIL(m, Py_MOD_GIL_NOT_USED);
#endif
    return m;
}
