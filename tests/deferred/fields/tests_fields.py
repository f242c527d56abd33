"""The value of each field travels, and its row: as created, fetched, deferred, proxied and inherited."""

import datetime
import decimal
import enum
import uuid
from unittest import skipUnless

from django.apps import apps
from django.core.files.base import ContentFile
from django.db import models as of_django
from django.db.models.fields.files import FieldFile
from django.dispatch import Signal
from django.test import TestCase
from django.utils.functional import Promise
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override
from fields import models
from fields.boxed import BoxedTests
from fields.models import KEYS, MOMENT, Child, Color, EveryField, Ordered, Parent, Proxy, Size

from csignals import deferred

sent = Signal()

#: Values for each field. A callable makes one.
VALUES = {
    "big_integer": [0, -(2**63), 2**63 - 1],
    "binary": [b"", b"\x00\xff", bytearray(b"abc")],
    "boolean": [True, False, None],
    "char": ["", "text", Color.BLUE, mark_safe("<b>"), gettext_lazy("Monday")],
    "color": [Color.RED, "b", Color.BLUE.value],
    "date": [MOMENT.date(), "2026-01-01", datetime.date.min],
    "date_time": [MOMENT, datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc)],
    "decimal": [decimal.Decimal("1.500"), decimal.Decimal("-0"), "3.25", 2],
    "duration": [datetime.timedelta(0), datetime.timedelta(days=-400, microseconds=1)],
    "email": ["a@example.com"],
    "file": ["", "a/name.txt", lambda: ContentFile(b"content", name="uploaded.txt")],
    "file_path": ["/etc", None],
    "floating": [0.0, -1e300, 5e-324, 2],
    "foreign_key": [None, lambda: Parent.objects.create()],
    "generic_ip_address": ["::1", "127.0.0.1"],
    "image": ["", "a/picture.png"],
    "integer": [0, Size.LARGE, True],
    "json": [None, 1, "text", [1, {"a": [None]}], {"$": "set", "v": [1]}, {"$": 1}],
    "one_to_one": [None, lambda: Parent.objects.create()],
    "positive_big_integer": [2**63 - 1],
    "positive_integer": [1],
    "positive_small_integer": [1],
    "size": [Size.LARGE, 1],
    "slug": ["a-b"],
    "small_integer": [-5],
    "text": ["", "long " * 1000, "\ud7ff\U0001f600"],
    "time": [datetime.time(1, 2, 3, 4), datetime.time.max, "12:30"],
    "url": ["https://example.com/?a=%20"],
    "uuid": [uuid.UUID(int=0), str(uuid.UUID(int=1))],
}

#: Types without a value of their own, or no longer in Django, and those that the tests do otherwise.
ABSTRACT = {"Field", "ForeignObject", "CommaSeparatedIntegerField", "IPAddressField", "NullBooleanField"}


@deferred.deferred
def hear(value, row, **named):
    BoxedTests.calls.append((value, row))


def arriving(value):
    """Return what arrives for the value of a field."""
    if isinstance(value, FieldFile):
        return value.name
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return str(value)  # of a SafeString, it is all that must arrive
    return value


class FieldTests(BoxedTests, TestCase):
    on_commit = False

    def setUp(self):
        super().setUp()
        sent.connect(hear)
        self.addCleanup(sent.disconnect, hear)

    def check(self, row, value=None):
        """Check that a row arrives, and a value of it."""
        self.box.messages.clear()
        sent.send(None, value=value, row=row)
        self.box.run()
        ((found, found_row),) = self.taken()
        expected = arriving(value)
        self.assertEqual(found, expected)
        if isinstance(expected, (enum.Enum, of_django.Model)):
            self.assertIs(type(found), type(expected))
        else:
            self.assertIsInstance(expected, type(found))
        self.assertIs(type(found_row), type(row))
        stored = type(row)._base_manager.using(row._state.db).get(pk=row.pk)
        self.assertEqual((found_row.pk, found_row._state.db), (stored.pk, row._state.db))

    def test_each_field_type_is_tested(self):
        found = {
            type(field).__name__ for model in apps.get_app_config("fields").get_models() for field in all_of(model)
        }
        known = {
            name
            for name, each in vars(of_django).items()
            if isinstance(each, type) and issubclass(each, of_django.Field) and name not in ABSTRACT
        }
        self.assertEqual(known - found, set())
        own = {field.name for field in EveryField._meta.concrete_fields} - {"id", "generated"}
        self.assertEqual(own, VALUES.keys())

    def test_the_created_row_travels(self):
        for name, model, value in each_value(EveryField, Proxy, Child):
            with self.subTest(field=name, model=model, value=value):
                row = model.objects.create(**{name: value})
                self.check(row, getattr(row, name))

    def test_the_fetched_row_travels(self):
        for name, model, value in each_value(EveryField, Proxy, Child):
            with self.subTest(field=name, model=model, value=value):
                created = model.objects.create(**{name: value})
                row = model.objects.get(pk=created.pk)
                self.check(row, getattr(row, name))
                created.refresh_from_db()
                self.check(created, getattr(created, name))
                if model is Child:
                    self.check(EveryField.objects.get(pk=row.pk))
                    self.check(row.everyfield_ptr)

    def test_a_row_with_deferred_fields_travels(self):
        for name, model, value in each_value(EveryField, Proxy, Child):
            with self.subTest(field=name, model=model, value=value):
                created = model.objects.create(**{name: value})
                row = model.objects.only("pk").get(pk=created.pk)
                with self.assertNumQueries(0):
                    sent.send(None, value=1, row=row)
                self.check(row, getattr(row, name))

    def test_the_rows_of_another_database_travel(self):
        for model in EveryField, Proxy, Child:
            row = model.objects.using("other").create(color=Color.BLUE)
            self.check(row, row.color)
            self.check(model.objects.using("other").only("pk").get(pk=row.pk))

    def test_every_key_travels(self):
        parents = [Parent.objects.create(pk=number) for number in (1, 2)]
        for model, values in KEYS.items():
            for value in values:
                with self.subTest(model=model, value=value):
                    row = model.objects.create(key=value)
                    self.check(row, row.pk)
                    for fetched in model.objects.get(pk=value), model.objects.only("pk").get(pk=value):
                        self.check(fetched, fetched.pk)
        key = KEY_MODELS["ForeignKeyKey"].objects.get()
        row = KEY_MODELS["KeyOfKey"].objects.create(key=key)
        self.check(row, row.key)
        self.check(row, [parents[0], key])

    def test_an_enum_key_survives_saves(self):
        row = KEY_MODELS["ColorKey"].objects.create(key=Color.RED)
        row.number = 5
        row.save()
        self.check(row, {"key": row.key, "number": row.number})

    @skipUnless(hasattr(models, "Composite"), "Django before 5.2 has no composite keys")
    def test_composite_keys_travel(self):
        parent = Parent.objects.create()
        for color in Color.RED, "b":
            row = models.Composite.objects.create(
                parent=parent, color=color, code=uuid.UUID(int=1), day=datetime.date(2026, 1, 1)
            )
            self.check(row, row.pk)
            fetched = models.Composite.objects.get(pk=row.pk)
            self.check(fetched, fetched.pk)
            self.check(models.Composite.objects.only("pk").get(pk=row.pk))

    def test_ordered_and_generated_values_travel(self):
        parent = Parent.objects.create()
        for each in Ordered.objects.create(parent=parent), Ordered.objects.create(parent=parent):
            self.check(each, each._order)
        if hasattr(EveryField, "generated"):
            EveryField.objects.create(char="text")
            row = EveryField.objects.get()
            self.check(row, row.generated)

    def test_a_lazy_text_arrives_in_the_language(self):
        with override("de"):
            row = EveryField.objects.create(char=gettext_lazy("Monday"))
            sent.send(None, value=row.char, row=row)
        self.box.run()
        self.assertEqual([value for value, _ in self.taken()], ["Montag"])


KEY_MODELS = {model.__name__: model for model in KEYS}


def all_of(model):
    return [*model._meta.get_fields(), *model._meta.private_fields]


def each_value(*chosen):
    for model in chosen:
        for name, values in VALUES.items():
            for value in values:
                yield name, model, value() if callable(value) and not isinstance(value, type) else value


class LowercaseKeyTests(BoxedTests, TestCase):
    """Keys that their field writes otherwise than they were given."""

    on_commit = False

    def test_created_rows_travel_together(self):
        rows = [models.LowercaseKey.objects.create(pk=text) for text in ("ABC", "def", "Ghi")]
        sent.connect(hear_rows)
        self.addCleanup(sent.disconnect, hear_rows)
        sent.send(None, rows=rows)
        self.box.run()
        self.assertEqual([row.pk for row in arrived.pop()], ["abc", "def", "ghi"])


arrived = []


@deferred.deferred
def hear_rows(rows, **kwargs):
    arrived.append(rows)
