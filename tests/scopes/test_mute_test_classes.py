"""``mute()`` on a test class: it mutes the methods that ``unittest.mock.patch`` would patch."""

import asyncio
import functools
import unittest
from unittest import mock

import pytest

from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Sender, connected, one
from tests.introspection.receiver_zoo import passing


@pytest.fixture(autouse=True)
def heard(signal):
    connected(signal, one)
    Tests.signal = signal
    Tests.seen = {}


class Tests:
    """Test methods and other methods. Each notes how many receivers its send reaches."""

    def note(self, name):
        self.seen[name] = len(self.signal.send(Sender))

    def setUp(self):
        self.note("setUp")

    def setup_method(self):
        self.note("setup_method")

    def helper(self):
        self.note("helper")

    def test_one(self):
        self.note("test_one")
        self.helper()

    testing = 3

    def run_all(self):
        for name in dir(self):
            if name.startswith(mock.patch.TEST_PREFIX) and callable(getattr(self, name)):
                result = getattr(self, name)()
                if asyncio.iscoroutine(result):
                    asyncio.run(result)
        return self.seen


def failures(case):
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert result.testsRun
    return result.errors + result.failures


@pytest.mark.parametrize("base", [unittest.TestCase, unittest.IsolatedAsyncioTestCase, object])
def test_only_test_methods_are_muted(csignals, signal, base):
    @csignals.mute(signal)
    class Case(Tests, base):
        def test_two(self):
            self.note("test_two")

        def checked(self):
            self.note("checked")

    if base is object:
        Case().run_all()
    else:
        assert failures(Case) == []
        assert Tests.seen.pop("setUp") == 1
    assert Tests.seen == {"test_one": 0, "helper": 0, "test_two": 0}
    case = Case()
    case.helper(), case.checked(), case.setUp(), case.setup_method()
    assert set(Tests.seen.values()) == {0, 1} and Tests.seen["helper"] == Tests.seen["checked"] == 1


PROJECT = """
import sys, unittest
import django
from django.conf import settings
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
settings.configure(INSTALLED_APPS=["csignals.django", "django.contrib.contenttypes", "django.contrib.auth"],
                   DATABASES=databases)
django.setup()
import csignals
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db.models.signals import post_save
from django.test import SimpleTestCase, TestCase
call_command("migrate", verbosity=0)
heard = []
def hear(instance, **named):
    heard.append(instance.name)
post_save.connect(hear)

@csignals.mute(post_save, senders="auth.Group")
class GroupTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        Group.objects.create(name="setUpTestData")
    def setUp(self):
        Group.objects.create(name="setUp")
    def test_sync(self):
        Group.objects.create(name="sync")
    async def test_async(self):
        post_save.send(Group, instance=Group(name="async"))

@csignals.mute(post_save)
class SimpleTests(SimpleTestCase):
    def test_simple(self):
        post_save.send(Group, instance=Group(name="simple"))

result = unittest.TestResult()
unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, [GroupTests, SimpleTests])).run(result)
print(result.testsRun, result.errors, result.failures, heard)
"""


def test_django_test_cases_may_be_muted(implementation):
    done = run_python("-c", PROJECT, implementation=implementation)
    assert (done.stdout, done.stderr) == ("3 [] [] ['setUpTestData', 'setUp', 'setUp']\n", "")


def test_the_decorated_class_stays_itself(csignals):
    class Case(Tests):
        def test_two(self, fixture):
            """Docstring."""

    assert csignals.mute()(Case) is Case
    assert (Case.test_two.__name__, Case.test_two.__doc__) == ("test_two", "Docstring.")
    assert Case.testing == 3


def test_async_tests_are_muted_while_they_run(csignals, signal):
    @csignals.mute(signal)
    class Case(Tests, unittest.IsolatedAsyncioTestCase):
        async def test_two(self):
            await asyncio.sleep(0)
            self.note("test_two")

        async def asyncSetUp(self):
            self.note("asyncSetUp")

    assert failures(Case) == []
    assert {**Tests.seen, "helper": 0} == {"setUp": 1, "asyncSetUp": 1, "test_one": 0, "helper": 0, "test_two": 0}


def test_bases_and_subclasses_are_not_decorated(csignals, signal):
    @csignals.mute(signal)
    class Case(Tests):
        pass

    class Later(Case):
        def test_two(self):
            self.note("test_two")

    assert Later().run_all() == {"test_one": 0, "helper": 0, "test_two": 1}
    assert Tests().run_all() == {"test_one": 1, "helper": 1, "test_two": 1}


def test_every_kind_of_method_is_muted(csignals, signal):
    def of_instance(self):
        self.note("of_instance")

    class Called:
        def __call__(self, *others):
            assert others == ()
            Tests().note("called")

    @csignals.mute(signal)
    class Case(Tests):
        @classmethod
        def test_of_class(cls):
            assert isinstance(cls, type)
            cls().note("of_class")  # pyright: ignore[reportCallIssue]

        @staticmethod
        def test_static():
            Tests().note("static")

        @classmethod
        async def test_async(cls):
            cls().note("async")

        @passing
        def test_wrapt(self):
            self.note("wrapt")

        @mock.patch("unittest.mock.patch.TEST_PREFIX", "other")
        def test_patched(self):
            self.note("patched")

        test_partial = functools.partialmethod(of_instance)
        test_called = Called()

        class test_inner(Tests):  # noqa: N801
            pass

    Case().run_all()
    assert Tests.seen == dict.fromkeys(
        ["of_class", "static", "async", "wrapt", "patched", "of_instance", "called", "test_one", "helper"], 0
    )
    Tests.seen.clear()
    assert Case.test_inner().run_all() == {"test_one": 0, "helper": 0}


def test_the_prefix_comes_from_mock_patch(csignals, signal):
    class Case(Tests):
        def check(self):
            self.note("check")

    with mock.patch.object(mock.patch, "TEST_PREFIX", "check"):
        csignals.mute(signal)(Case)
    Case().check(), Case().test_one()
    assert Tests.seen == {"check": 0, "test_one": 1, "helper": 1}


def test_mute_and_mock_patch_choose_alike(csignals, signal):
    class Case(Tests):
        test_class = int
        test_value = "value"
        _test_hidden = print

        def test_two(self):
            pass

        def Test_three(self):  # noqa: N802
            pass

    def changed(decorator):
        case = type("Case", (Case,), {})
        before = set(vars(case))
        decorator(case)
        return {name for name in set(vars(case)) - before if name != "test_class"}  # the patched class is the same

    assert changed(csignals.mute(signal)) == changed(mock.patch("csignals.mute")) == {"test_one", "test_two"}


def generator(self):
    yield


async def async_generator(self):
    yield


@pytest.mark.parametrize(
    "namespace",
    [
        {},
        {"method": one},
        {"testing": 3},
        {"test_class": int},
        {"test_one": one, "test_two": generator},
        {"test_one": one, "test_two": async_generator},
        {"test_one": one, "test_two": classmethod(generator)},
        {"test_one": one, "test_two": type("Inner", (), {"test_two": generator})},
    ],
)
def test_other_classes_raise_and_stay_unchanged(csignals, namespace):
    case = type("Case", (), dict(namespace))
    before = dict(vars(case))
    with pytest.raises(TypeError, match="in a with statement"):
        csignals.mute()(case)
    assert dict(vars(case)) == before
