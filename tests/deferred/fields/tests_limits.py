"""A worker reads a megabyte of rows within a second, and with one query for each model and database."""

import json
import logging
import sys
import time
import traceback

from django.db import connections
from django.dispatch import Signal
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from fields.boxed import BoxedTests
from fields.models import KEYS, Child, Parent

from csignals import deferred

sent = Signal()
UUID_KEY = next(model for model in KEYS if model.__name__ == "UUIDKey")


@deferred.deferred
def hear(sender, **named):
    BoxedTests.calls.append(named)


@deferred.deferred
def hear_value(sender, value, **named):
    BoxedTests.calls.append(value)


@deferred.deferred(missing="raise")
def need_value(sender, value, **named):
    BoxedTests.calls.append(value)


class LimitTests(BoxedTests, TestCase):
    on_commit = False

    def message(self, receiver, value):
        """Return a message with an encoded value."""
        receiver(signal=sent, sender=None, value=1)
        content = json.loads(self.box.messages.pop())
        content["named"]["value"] = value
        return json.dumps(content)

    def run_quickly(self, message):
        before = time.process_time()
        error = None
        try:
            with self.assertLogs("csignals.deferred") as logs:
                logging.getLogger("csignals.deferred").warning("one, as there may be none")
                deferred.run(message)
        except (deferred.MessageRejected, LookupError) as raised:
            error = raised
        took = time.process_time() - before
        if error is not None:
            self.assertLess(len("".join(traceback.format_exception(error))), 10_000)
        self.assertLess(len("".join(logs.output)), 10_000)
        self.assertLess(took, 1)

    def test_many_references_to_one_row(self):
        row = Parent.objects.create()
        encoded = {"$": "row", "v": ["fields.Parent", row.pk, "default"]}
        with CaptureQueriesContext(connections["default"]) as queries:
            self.run_quickly(self.message(hear_value, [encoded] * 2000))
        self.assertLessEqual(len(queries), 1)
        with CaptureQueriesContext(connections["default"]) as queries:
            self.run_quickly(self.message(hear_value, [encoded] * 18_000))
        self.assertLessEqual(len(queries), 1)

    def test_many_missing_rows(self):
        for receiver in hear, hear_value, need_value:
            for count in 2000, 18_000:
                value = [{"$": "row", "v": ["fields.Parent", pk, "default"]} for pk in range(count)]
                with self.subTest(receiver=receiver.__name__, count=count):
                    with CaptureQueriesContext(connections["default"]) as queries:
                        self.run_quickly(self.message(receiver, value))
                    most = connections["default"].features.max_query_params or count
                    self.assertLessEqual(len(queries), -(-count // most))

    def test_keys_that_are_none(self):
        for model, key in (UUID_KEY, "no UUID"), (Parent, "x" * 1000), (Parent, True), (Child, 10**4000):
            value = [{"$": "row", "v": [model._meta.label, key, "default"]}] * (900_000 // (len(str(key)) + 60))
            with self.subTest(model=model):
                self.run_quickly(self.message(hear_value, value))
                self.assertEqual(self.taken(), [])

    def test_keys_that_are_malformed(self):
        deep = 1
        for _ in range(800):
            deep = [deep]
        keys = [True, -1, 1.5, [1], {"a": 1}, [":" * 900_000], deep]
        for model in KEYS:
            for key in [deep] if "JSON" in model.__name__ else keys:
                if type(key) in (list, dict) or "Binary" in model.__name__:
                    value = {"$": "row", "v": [model._meta.label, key, "default"]}
                    with self.subTest(model=model, key=str(key)[:20]), self.assertRaises(deferred.MessageRejected):
                        deferred.run(self.message(hear_value, value))

    def test_bytes_in_a_query(self):
        """A QueryDict decodes them: slowly, or by a module that is imported for it."""
        encoded = {"$": "bytes", "v": "YWJj" * 100_000}
        for encoding, module in ("punycode", None), ("cp1006", "encodings.cp1006"):
            sys.modules.pop(str(module), None)
            for pairs in [["a", [encoded]]], [[encoded, []]]:
                with self.subTest(encoding=encoding, pairs=len(pairs[0])):
                    self.run_quickly(self.message(hear_value, {"$": "QueryDict", "v": [encoding, False, pairs]}))
                    self.assertNotIn(module, sys.modules)
                    self.assertEqual(self.taken(), [])

    def test_rows_of_many_models(self):
        labels = [model._meta.label for model in KEYS]
        value = [{"$": "row", "v": [labels[n % len(labels)], n, "other"]} for n in range(15_000)]
        self.run_quickly(self.message(hear_value, value))

    def test_many_unknown_labels(self):
        value = [{"$": "row", "v": [f"fields.No{number}", 1, "default"]} for number in range(15_000)]
        self.run_quickly(self.message(hear_value, value))
        value = [{"$": "model", "v": f"no{number}.No"} for number in range(25_000)]
        self.run_quickly(self.message(hear_value, value))

    def test_five_hundred_rows_take_one_query(self):
        rows = [Parent(pk=pk) for pk in range(1, 501)]
        Parent.objects.bulk_create(rows)
        Parent.objects.using("other").bulk_create(Parent(pk=pk) for pk in range(1, 501))
        others = [*Parent.objects.using("other").all()]
        hear_value(signal=sent, sender=None, value={"a": [*Parent.objects.all()], "b": [(row,) for row in others]})
        with CaptureQueriesContext(connections["default"]) as one, CaptureQueriesContext(connections["other"]) as other:
            self.box.run()
        (found,) = self.taken()
        self.assertEqual((len(found["a"]), len(found["b"])), (500, 500))
        self.assertEqual([row._state.db for row in (found["a"][0], found["b"][0][0])], ["default", "other"])
        self.assertEqual((len(one), len(other)), (1, 1))

    def test_a_missing_row_counts_for_its_argument(self):
        row, gone = Parent.objects.create(), Parent.objects.create()
        hear(signal=sent, sender=None, kept=row, lost=gone, both=[row, gone])
        gone.delete()
        self.box.run()
        (found,) = self.taken()
        self.assertEqual(found, {"signal": sent, "kept": row})
