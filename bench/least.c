/* What hot_cases.py needs in C: the least that a signal can cost, and a mark in the run.

   Least(receivers, names) has methods by the names of a signal's. Those that send call each receiver with itself as
   `signal` and the keyword arguments that come in, which `names` lists; the others do nothing. No list of responses,
   no pairs, no question who shall receive: that is what a dispatcher adds. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define MAX_NAMED 16

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "GCC " __VERSION__
#endif

typedef struct {
    PyObject_HEAD
    PyObject *receivers;    /* a tuple */
    PyObject *names;        /* "signal", and those that come in */
} Least;

static PyObject *
least_send(PyObject *o, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Least *self = (Least *)o;
    PyObject *arguments[MAX_NAMED + 2];
    Py_ssize_t size = PyTuple_GET_SIZE(self->receivers);
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    if (nargs || named > MAX_NAMED || named + 1 != PyTuple_GET_SIZE(self->names)) {
        PyErr_SetString(PyExc_TypeError, "these are not the names that were given before");
        return NULL;
    }
    if (size) {
        arguments[1] = o;
        for (Py_ssize_t i = 0; i < named; i++)
            arguments[i + 2] = args[i];
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *response = PyObject_Vectorcall(
            PyTuple_GET_ITEM(self->receivers, i), arguments + 1, PY_VECTORCALL_ARGUMENTS_OFFSET, self->names);
        if (!response)
            return NULL;
        Py_DECREF(response);
    }
    Py_RETURN_NONE;
}

static PyObject *
least_nothing(PyObject *o, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    Py_RETURN_NONE;
}

static PyObject *
least_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *receivers, *names;
    if (!PyArg_ParseTuple(args, "O!O!:Least", &PyTuple_Type, &receivers, &PyTuple_Type, &names))
        return NULL;
    Least *self = (Least *)type->tp_alloc(type, 0);
    if (self) {
        Py_INCREF(receivers);
        Py_INCREF(names);
        self->receivers = receivers;
        self->names = names;
    }
    return (PyObject *)self;
}

static void
least_dealloc(PyObject *o)
{
    Least *self = (Least *)o;
    Py_XDECREF(self->receivers);
    Py_XDECREF(self->names);
    Py_TYPE(o)->tp_free(o);
}

#define METHOD(name, function) \
    {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, NULL}

static PyMethodDef methods[] = {
    METHOD("send", least_send),
    METHOD("send_robust", least_send),
    METHOD("has_listeners", least_nothing),
    METHOD("connect", least_nothing),
    METHOD("disconnect", least_nothing),
    {NULL, NULL, 0, NULL},
};

static PyTypeObject LeastType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "least.Least",
    .tp_basicsize = sizeof(Least),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = least_new,
    .tp_dealloc = least_dealloc,
    .tp_methods = methods,
};

/* Not static: callgrind must know it by name. */
PyObject *
csignals_bench_mark(PyObject *module, PyObject *unused)
{
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"mark", csignals_bench_mark, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "least", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC
PyInit_least(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m && (PyModule_AddType(m, &LeastType) < 0 || PyModule_AddStringConstant(m, "COMPILER", COMPILER) < 0))
        Py_CLEAR(m);
    return m;
}
