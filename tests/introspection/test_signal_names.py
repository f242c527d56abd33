"""Names of signals. Finding a name runs no code of the searched modules."""

import _thread
import contextlib
import copy
import gc
import importlib
import importlib.util
import pathlib
import re
import sys
import textwrap
import threading
import time
import types
import weakref

import django.dispatch
import pytest

from csignals.compare.families import SIGNALS
from tests.helpers.implementations import load
from tests.helpers.interpreter import run_python


@pytest.fixture
def signal_names(implementation):
    return load(implementation, "csignals._introspection.signal_names")


@pytest.fixture(params=["csignals", "django"])
def make(request, csignals):
    return {"csignals": csignals.Signal, "django": django.dispatch.Signal}[request.param]


@pytest.fixture
def modules(tmp_path, monkeypatch, make):
    """Return a function that imports modules, given by name and code. In the code, ``make()`` makes a signal."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "maker", types.ModuleType("maker"))
    sys.modules["maker"].make = make

    def write_and_import(*wanted, **codes):
        for name, code in codes.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text("from maker import make\n" + textwrap.dedent(code))
        importlib.invalidate_caches()
        return [importlib.import_module(name.replace("__", ".")) for name in wanted or codes]

    yield write_and_import
    for name in set(sys.modules) - before:
        if name.partition(".")[0] not in ("csignals", "django"):
            del sys.modules[name]


# --- Given names ---------------------------------------------------------------------------------------------


def test_a_given_name_is_used(csignals, signal_names):
    signal = csignals.Signal(name="shop.paid")
    assert (signal.name, signal_names.name_of(signal)) == ("shop.paid", "shop.paid")
    assert repr(signal) == "<Signal shop.paid: no receivers>"
    signal.name = "another"
    assert (signal.name, signal_names.name_of(signal)) == ("another", "another")
    signal.name = None
    assert signal.name is None
    with pytest.raises(TypeError, match="name must be a str, not int"):
        signal.name = 1
    assert csignals.Signal(True, name="x").use_caching is True


@pytest.mark.parametrize("name", [1, b"paid", object()])
def test_a_non_string_name_raises(csignals, name):
    with pytest.raises(TypeError, match="a signal's name must be a str, not "):
        csignals.Signal(name=name)
    with pytest.raises(TypeError):
        csignals.Signal(False, "paid")  # Django's Signal takes one positional argument


def test_a_copy_keeps_only_given_names(csignals):
    for name in ("shop.paid", None):
        signal = csignals.Signal(name=name)
        with placed(signal):
            assert signal.name == (name or f"{__name__}.placed_signal")
            assert copy.copy(signal).name == name


@contextlib.contextmanager
def placed(signal):
    """Make a signal a global of this module."""
    global placed_signal
    placed_signal = signal
    yield
    del placed_signal


# --- Found names ---------------------------------------------------------------------------------------------


def test_signals_are_named_after_module_variables(modules, signal_names, make):
    (module,) = modules(
        shop__signals="""
        order_paid = make()
        class Order:
            paid = make()
            class Item:
                sold = make()
        """
    )
    expected = {
        "shop.signals.order_paid": module.order_paid,
        "shop.signals.Order.paid": module.Order.paid,
        "shop.signals.Order.Item.sold": module.Order.Item.sold,
    }
    assert signal_names.names_of(expected.values()) == list(expected)
    for name, signal in expected.items():
        assert signal_names.name_of(signal) == name
        assert not isinstance(signal, django.dispatch.Signal) or not [each for each in vars(signal) if "name" in each]


@pytest.fixture
def importer_first(modules):
    """Return a function that imports shop.importer, then shop.signals. Both import shop.definer.

    The function moves shop.definer to the end of ``sys.modules``, as circular imports may do, and returns shop.importer
    and shop.definer.
    """

    def import_all(importing, defining):
        importer, definer, _ = modules(
            "shop.importer",
            "shop.definer",
            "shop.signals",
            shop__importer=importing,
            shop__definer=defining,
            shop__signals="from shop.definer import *",
        )
        sys.modules[definer.__name__] = sys.modules.pop(definer.__name__)
        return importer, definer

    return import_all


only_csignals = pytest.mark.parametrize("make", ["csignals"], indirect=True)


@only_csignals
@pytest.mark.parametrize(
    "importing",
    [
        "from shop.definer import order_paid",
        "from shop.definer import order_paid as paid",
        "import shop.definer\nclass Order:\n    paid = shop.definer.order_paid",
        "try:\n    from shop.definer import order_paid\nexcept ImportError:\n    order_paid = make()",
    ],
    ids=["name", "as", "in a class", "with a fallback"],
)
@pytest.mark.parametrize(
    "defining",
    [
        "order_paid = make()",
        "if True:\n    order_paid = make()",
        "def define():\n    global order_paid\n    order_paid = make()\ndefine()",
    ],
    ids=["plain", "conditional", "global"],
)
def test_the_defining_module_wins_over_importers(importer_first, signal_names, defining, importing):
    _, definer = importer_first(importing, defining)
    assert signal_names.name_of(definer.order_paid) == "shop.definer.order_paid"
    assert signal_names.place_of(definer.order_paid) == ("shop.definer", ("order_paid",))


@only_csignals
def test_the_defining_class_wins_over_importers(importer_first, signal_names):
    importer, _ = importer_first("from shop.definer import Order\npaid = Order.paid", "class Order:\n    paid = make()")
    assert signal_names.name_of(importer.paid) == "shop.definer.Order.paid"
    assert signal_names.place_of(importer.paid) == ("shop.definer", ("Order", "paid"))


@only_csignals
def test_subclass_instances_belong_to_the_caller(modules, importer_first, signal_names):
    modules(
        subclasses="""
        class Base(make):
            def __init__(self):
                super().__init__()
        class Traced(Base):
            def __init__(self):
                super().__init__()
        """
    )
    importer, _ = importer_first(
        "from shop.definer import signal", "import subclasses\nsignal = subclasses.Traced()\nsubclasses.own = signal"
    )
    assert signal_names.name_of(importer.signal) == "shop.definer.signal"


@only_csignals
def test_a_copy_has_its_originals_module(importer_first, signal_names):
    importer, _ = importer_first("from shop.definer import signal", "import copy\nsignal = copy.copy(make())")
    assert signal_names.name_of(importer.signal) == "shop.definer.signal"


@only_csignals
def test_a_given_name_wins_over_every_module(importer_first, signal_names):
    importer, _ = importer_first("from shop.definer import signal", "signal = make(name='given')")
    assert signal_names.name_of(importer.signal) == "given"
    assert signal_names.place_of(importer.signal) == ("shop.definer", ("signal",))


@pytest.mark.slow
@only_csignals
def test_a_signal_keeps_no_module_alive(modules):
    (module,) = modules(short="signal = make()")
    signal, alive = module.signal, weakref.ref(module)
    del sys.modules["short"], module
    gc.collect()
    assert alive() is None
    assert signal.name is None


class Hostile:
    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None


@pytest.mark.parametrize("namespace", [{}, {"__name__": 1}, {"__name__": Hostile()}], ids=["none", "number", "hostile"])
def test_signals_may_have_no_module(signal_names, make, namespace):
    """The code that makes a signal may run without a usable ``__name__``."""
    exec("signal = make()", namespace | {"make": make}, namespace)
    assert signal_names.name_of(namespace["signal"]) is None
    with placed(namespace["signal"]):
        assert signal_names.name_of(namespace["signal"]) == f"{__name__}.placed_signal"


def test_threads_without_python_frames_make_signals(signal_names, make):
    made = []
    _thread.start_new_thread(made.extend, (map(make, [False]),))
    deadline = time.monotonic() + 10
    while not made and time.monotonic() < deadline:
        time.sleep(0.001)
    with placed(made[0]):
        assert signal_names.name_of(made[0]) == f"{__name__}.placed_signal"


# In the following tests this module makes the signal, and other modules contain it.


@pytest.mark.parametrize("names", [["x", "x.signals", "signals"], ["x", "signals", "x.signals"]])
def test_a_module_named_signals_wins(signal_names, make, monkeypatch, names):
    signal = make()
    put_in_modules(signal, names, monkeypatch)
    assert signal_names.name_of(signal) == f"{names[1]}.signal"


def test_the_first_other_module_wins(signal_names, make, monkeypatch):
    signal = make()
    put_in_modules(signal, ["x.events", "signals.x", "x.my_signals"], monkeypatch)
    assert signal_names.name_of(signal) == "x.events.signal"


def test_the_main_module_comes_last(signal_names, make, monkeypatch):
    signal = make()
    monkeypatch.setattr(sys.modules["__main__"], "signal", signal, raising=False)
    assert signal_names.place_of(signal) == ("__main__", ("signal",))
    signal_names._places.forget(signal)
    put_in_modules(signal, ["events"], monkeypatch)
    assert signal_names.place_of(signal) == ("events", ("signal",))


def put_in_modules(signal, names, monkeypatch):
    for name in names:
        module = types.ModuleType(name)
        module.signal = signal
        monkeypatch.setitem(sys.modules, name, module)


def test_the_first_of_several_names_wins(modules, signal_names):
    (module,) = modules(signals="first = second = make()")
    assert signal_names.name_of(module.second) == "signals.first"


def test_aliases_of_a_module_are_ignored(modules, signal_names, monkeypatch):
    monkeypatch.setitem(sys.modules, "an_alias", None)
    (module,) = modules(signals="signal = make()")
    sys.modules["an_alias"] = module
    assert signal_names.name_of(module.signal) == "signals.signal"


def test_classes_are_searched_in_their_module(modules, signal_names):
    importing, _ = modules(
        "importing", "definer", importing="from definer import Order", definer="class Order:\n    paid = make()"
    )
    assert signal_names.name_of(importing.Order.paid) == "definer.Order.paid"
    (module,) = modules(module="class Order:\n    paid = make()\nOrder.__module__ = 'elsewhere'")
    assert signal_names.name_of(module.Order.paid) is None


def test_only_found_names_are_kept(signal_names, make):
    signal = make()
    assert signal_names.name_of(signal) is None
    with placed(signal):
        assert signal_names.name_of(signal) == f"{__name__}.placed_signal"
    assert signal_names.name_of(signal) == f"{__name__}.placed_signal"


def test_names_are_found_during_the_import(modules, signal_names):
    sys.modules["maker"].name_of = signal_names.name_of
    (module,) = modules(
        executing="""
        from maker import name_of
        found = []
        def ask(signal):
            found.append(name_of(signal))
            return signal
        signal = ask(make())
        ask(signal)
        """
    )
    assert module.found == [None, "executing.signal"]


def test_a_name_is_forgotten_with_its_signal(signal_names, make):
    signal = make()
    with placed(signal):
        signal_names.name_of(signal)
    number = id(signal)
    assert number in signal_names._places.known
    del signal
    gc.collect()
    assert number not in signal_names._places.known


BUILT_IN = {
    "django.contrib.auth.signals": ["user_logged_in", "user_logged_out", "user_login_failed"],
    "django.core.signals": ["got_request_exception", "request_finished", "request_started", "setting_changed"],
    "django.db.backends.signals": ["connection_created"],
    "django.db.models.signals": [
        "class_prepared",
        "m2m_changed",
        "post_delete",
        "post_init",
        "post_migrate",
        "post_save",
        "pre_delete",
        "pre_init",
        "pre_migrate",
        "pre_save",
    ],
    "django.test.signals": ["template_rendered"],
}


def test_builtin_signals_have_names_from_django(signal_names):
    before = [dict(vars(signal)) for signal in SIGNALS.values()]
    expected = {f"{module}.{name}" for module, names in BUILT_IN.items() for name in names}
    assert {signal_names.name_of(signal) for signal in SIGNALS.values()} == expected
    assert len(SIGNALS) == len(expected)
    assert [dict(vars(signal)) for signal in SIGNALS.values()] == before


PROJECT = """
import gc, sys
from django.conf import settings
apps = [f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "messages", "sessions", "sites")]
apps += ["django_extensions", "debug_toolbar", "reversion", "simple_history"]
settings.configure(INSTALLED_APPS=apps, STATIC_URL="static/")
import django
django.setup()
import django.test, django.utils.autoreload, django_extensions.management.signals
import debug_toolbar.panels.staticfiles, debug_toolbar.toolbar, reversion.signals, simple_history.signals

from csignals._introspection.signal_names import place_of
for each in gc.get_objects():
    if issubclass(type(each), django.dispatch.Signal):
        module, path = place_of(each)
        print(path[-1], sys.modules[module].__file__)
"""


@pytest.mark.slow
def test_names_in_a_project_match_its_source(implementation):
    # The packages of the project may emit warnings.
    done = run_python("-W", "ignore", "-c", PROJECT, implementation=implementation)
    assert done.returncode == 0, done.stderr
    found = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert len(found) >= 27
    for name, file in found:
        code = pathlib.Path(file).read_text(encoding="utf-8")
        assert re.search(rf"^ *{name} = [\w.]*Signal\(", code, re.MULTILINE), (name, file)


# --- A search runs no code of the modules --------------------------------------------------------------------


def test_lazy_modules_stay_unloaded(modules, signal_names, tmp_path, make):
    (lazy,) = modules(
        lazy="""
        accessed = []
        def __getattr__(name):
            accessed.append(name)
            raise RuntimeError(name)
        class Meta(type):
            def __getattribute__(cls, name):
                accessed.append(name)
                raise RuntimeError(name)
        class Property:
            def __get__(self, instance, owner):
                accessed.append("property")
        class Lazy(metaclass=Meta):
            property = Property()
            signal = make()
        class Proxy:
            def __getattribute__(self, name):
                accessed.append(name)
                raise RuntimeError(name)
        proxy = Proxy()
        """
    )
    (tmp_path / "unloaded.py").write_text("from maker import make\nimport not_there")
    spec = importlib.util.find_spec("unloaded")
    spec.loader = importlib.util.LazyLoader(spec.loader)
    unloaded = sys.modules["unloaded"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(unloaded)
    sys.modules["a_proxy"] = lazy.proxy
    sys.modules["not_importable"] = None
    sys.modules["not_initialised"] = types.ModuleType.__new__(types.ModuleType)

    lazy.accessed.clear()
    assert signal_names.name_of(make()) is None
    assert signal_names.name_of(vars(type)["__dict__"].__get__(lazy.Lazy)["signal"]) == "lazy.Lazy.signal"
    assert lazy.accessed == []
    assert "not_there" not in sys.modules
    assert type(unloaded).__name__ == "_LazyModule"


@pytest.mark.exhaustive
def test_names_are_found_while_other_threads_import(modules, signal_names, make):
    codes = {f"imported_{i}": "signal = make()\nclass Order:\n    signal = make()" for i in range(150)}
    modules("maker", **codes)
    errors, ended = [], threading.Event()

    def import_and_unload(names):
        try:
            while not ended.is_set():
                for name in names:
                    importlib.import_module(name)
                for name in names:
                    del sys.modules[name]
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=import_and_unload, args=[list(codes)[half::2]]) for half in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        unplaced, wanted = make(), make()
        with placed(wanted):
            for _ in range(20):
                assert signal_names.name_of(unplaced) is None
                signal_names._places.forget(wanted)
                assert signal_names.name_of(wanted) == f"{__name__}.placed_signal"
    finally:
        sys.setswitchinterval(interval)
        ended.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_subclasses_may_define_the_name(csignals):
    class OfTheClass(csignals.Signal):
        name = "class"

    class BeforeAll(csignals.Signal):
        def __init__(self, name):
            self.name = name
            super().__init__()

    class Computed(csignals.Signal):
        @property
        def name(self):
            return "computed"

    assert [OfTheClass().name, BeforeAll("before").name, Computed().name] == ["class", "before", "computed"]
    assert copy.copy(BeforeAll("before")).name == "before"
    assert copy.copy(Computed()).name == "computed"
