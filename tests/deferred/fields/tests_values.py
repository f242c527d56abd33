"""Values of Django that are no attributes of rows, as they arrive in a worker."""

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.dispatch import Signal
from django.http import QueryDict
from django.test import TestCase
from django.utils.datastructures import MultiValueDict
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy, ngettext_lazy, override
from fields.boxed import BoxedTests
from fields.models import Color, Parent, Size

from csignals import deferred

sent = Signal()


@deferred.deferred
def hear(value, **named):
    BoxedTests.calls.append(value)


@deferred.deferred
def hear_sender(sender, **named):
    BoxedTests.calls.append(sender)


class ValueTests(BoxedTests, TestCase):
    on_commit = False

    def setUp(self):
        super().setUp()
        sent.connect(hear)
        self.addCleanup(sent.disconnect, hear)

    def arrived(self, value):
        sent.send(None, value=value)
        self.box.run()
        (found,) = self.taken()
        return found

    def test_choices_arrive_as_members(self):
        for value in Color.RED, Size.LARGE:
            self.assertIs(self.arrived(value), value)
        self.assertEqual(self.arrived({"all": [*Color], Color.RED: 1}), {"all": [*Color], Color.RED: 1})

    def test_choices_classes_arrive(self):
        self.assertIs(self.arrived(Color), Color)

    def test_an_app_that_the_worker_lacks_is_none(self):
        hear_sender(signal=sent, sender=apps.get_app_config("fields"))
        (message,) = self.box.messages
        self.box.messages.append(message.replace('"v":"fields"', '"v":"removed"'))
        with self.assertLogs("csignals.deferred", "WARNING"):
            self.box.run()
        self.assertEqual(self.taken(), [apps.get_app_config("fields"), None])

    def test_query_dicts_arrive_complete(self):
        found = self.arrived(QueryDict("a=1&a=2&b="))
        self.assertIs(type(found), QueryDict)
        self.assertEqual([*found.lists()], [("a", ["1", "2"]), ("b", [""])])

    def test_multi_value_dicts_arrive_complete(self):
        found = self.arrived(MultiValueDict({"a": [1, 2], "b": []}))
        self.assertIs(type(found), MultiValueDict)
        self.assertEqual([*found.lists()], [("a", [1, 2]), ("b", [])])

    def test_a_safe_string_arrives_as_text(self):
        found = self.arrived(mark_safe("<b>"))
        self.assertEqual(found, "<b>")
        self.assertIn(type(found), (str, SafeString))

    def test_lazy_translations_arrive_as_text(self):
        with override("de"):
            sent.send(None, value=[gettext_lazy("Monday"), Color.RED.label])
        self.box.run()
        ((monday, label),) = self.taken()
        self.assertEqual((monday, label), ("Montag", "Rot" if label == "Rot" else "Red"))
        self.assertIs(type(monday), str)
        self.assertEqual(self.arrived(ngettext_lazy("%d day", "%d days", 2) % 2), "2 days")

    def test_the_anonymous_user_arrives(self):
        for user in AnonymousUser(), SimpleLazyObject(AnonymousUser):
            self.assertIs(type(self.arrived(user)), AnonymousUser)

    def test_a_lazy_row_arrives_as_row(self):
        row = Parent.objects.create()
        found = self.arrived(SimpleLazyObject(lambda: row))
        self.assertIs(type(found), Parent)
        self.assertEqual(found, row)

    def test_a_lazy_value_arrives_as_value(self):
        self.assertIs(self.arrived(SimpleLazyObject(lambda: Color.RED)), Color.RED)
        self.assertEqual(self.arrived(SimpleLazyObject(lambda: b"bytes")), b"bytes")

    def test_rows_in_collections_arrive(self):
        rows = [Parent.objects.create() for _ in range(3)]
        for value in rows, tuple(rows), {"a": rows[0]}, {rows[0], rows[1]}, MultiValueDict({"a": rows}):
            self.assertEqual(self.arrived(value), value)

    def test_settings_cannot_travel(self):
        with self.assertRaisesMessage(TypeError, "the argument 'value' cannot travel"):
            sent.send(None, value=settings)
