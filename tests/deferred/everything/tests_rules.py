"""What arrives of senders and rows that a worker may not have, and what is logged of it."""

import json
import re
import sys
import types
from collections import Counter

from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
from django.db.models import BigAutoField, IntegerField, Model
from django.db.models.signals import post_delete, post_save
from django.dispatch import Signal
from django.test import TransactionTestCase
from django.test.signals import setting_changed
from everything.models import Order

from csignals import deferred
from csignals.testing import inline_deferred
from tests.deferred.box import Box

happened = Signal()
calls = []  # receivers append them


def declare(receive, name):
    """Return a deferred receiver that no other test uses, as some warnings are logged once."""
    receive.__name__ = receive.__qualname__ = name
    receiver = globals()[name] = deferred.deferred(receive)
    return receiver


def any_sender(name):
    return declare(lambda sender, **named: calls.append((name, sender, sorted(named))), name)


def any_sender_with_row(name):
    return declare(lambda sender, instance, **named: calls.append((name, sender, type(instance), instance.pk)), name)


class RuleTests(TransactionTestCase):
    databases = frozenset({"default", "other"})

    def setUp(self):
        self.box = Box()
        deferred.configure(self.box)
        self.addCleanup(deferred.configure, None)
        calls.clear()
        self.hear = any_sender(f"hear_in_{self._testMethodName}")
        self.hear_row = any_sender_with_row(f"hear_row_in_{self._testMethodName}")

    def connect(self, signal, *receivers):
        for receiver in receivers:
            signal.connect(receiver)
            self.addCleanup(signal.disconnect, receiver)

    def called(self):
        """Run the messages, and return the calls."""
        self.box.run()
        found = calls[:]
        calls.clear()
        return found

    def loaded_class(self):
        """Return a class whose module this process has loaded, and no module of the project imports."""
        module = sys.modules["loaded_by_a_request"] = types.ModuleType("loaded_by_a_request")
        self.addCleanup(sys.modules.pop, module.__name__)
        module.Handler = type("Handler", (), {"__module__": module.__name__})
        return module.Handler

    def received(self, *senders):
        """Return what arrives of these senders."""
        self.connect(happened, self.hear)
        for sender in senders:
            happened.send(sender)
        return [sender for _, sender, _ in self.called()]

    def test_classes_that_workers_have_arrive(self):
        app = apps.get_app_config("everything")
        senders = [Order, Order.tags.through, app, type(None), int, None, "a text", 1]
        self.assertEqual(self.received(*senders), senders)

    def test_other_senders_arrive_as_none(self):
        class Local:
            pass

        with self.assertLogs("csignals.deferred", "WARNING"):
            self.assertEqual(self.received(self.loaded_class(), Local, object(), print), [None] * 4)

    def test_a_hidden_sender_is_logged_once(self):
        handler = self.loaded_class()

        class OtherHandler(handler):
            pass

        self.connect(happened, self.hear, any_sender("hear_too"))
        with self.assertLogs("csignals.deferred", "WARNING") as logs:
            for sender in handler, OtherHandler, handler, OtherHandler:
                happened.send(sender)
                self.called()
        self.assertEqual([each.levelname for each in logs.records], ["WARNING"] * 4)
        found = Counter(
            (receiver, sender)
            for each in logs.records
            for receiver in (self.hear.__name__, "hear_too")
            for sender in ("Handler", "OtherHandler")
            if re.search(rf"{receiver}\b", each.getMessage()) and re.search(rf"\b{sender}\b", each.getMessage())
        )
        self.assertEqual(list(found.values()), [1, 1, 1, 1], logs.output)

    def test_only_this_process_has_loaded_it(self):
        """So that the sender is not None in a test, and None in a worker."""
        self.connect(happened, self.hear)
        with self.assertLogs("csignals.deferred", "WARNING"), inline_deferred():
            happened.send(self.loaded_class())
        self.assertEqual(calls, [(self.hear.__name__, None, ["signal"])])

    def test_historical_models_arrive_as_todays(self):
        order = Order.objects.create(number=1)
        historical = ProjectState.from_apps(apps).apps.get_model("everything", "Order")
        self.connect(post_save, self.hear, self.hear_row)
        historical.objects.get(pk=order.pk).save()
        found = self.called()
        self.assertEqual([sender for _, sender, *_ in found], [Order, Order])
        self.assertIn("instance", found[0][2])
        self.assertEqual(found[1][2:], (Order, order.pk))

    def test_rows_of_deleted_models_are_missing(self):
        self.check_row_of(self.deleted_model())

    def test_rows_of_the_recorder_are_missing(self):
        self.check_row_of(MigrationRecorder.Migration)

    def deleted_model(self):
        """Return a model with a table, as a migration has it, that the project no longer has."""
        state = ProjectState.from_apps(apps)
        fields = {"id": BigAutoField(primary_key=True), "number": IntegerField(default=0)}
        meta = type("Meta", (), {"app_label": "everything", "apps": state.apps})
        model = type("Gone", (Model,), {**fields, "Meta": meta, "__module__": "__fake__"})
        with connection.schema_editor() as editor:
            editor.create_model(model)
        self.addCleanup(self.drop, model)
        return model

    def drop(self, model):
        with connection.schema_editor() as editor:
            editor.delete_model(model)

    def check_row_of(self, model):
        """Check a model that no worker knows: its row is left out, or the call dropped for who names the row."""
        self.connect(post_save, self.hear, self.hear_row)
        row = model()
        with self.assertLogs("csignals.deferred", "WARNING") as logs:
            row.save()
            first = self.called()
        self.assertEqual([each[:2] for each in first], [(self.hear.__name__, None)])
        self.assertIn("created", first[0][2])
        self.assertNotIn("instance", first[0][2])
        texts = [each.getMessage() for each in logs.records]
        self.assertTrue(any(self.hear_row.__name__ in text for text in texts), texts)
        with self.assertNoLogs("csignals.deferred", "WARNING"):
            row.save()
            self.assertEqual(self.called(), first)
        row.delete()

    def test_a_deleted_row_is_left_out(self):
        self.connect(post_delete, self.hear)
        with self.assertLogs("csignals.deferred", "WARNING") as logs:
            for number in range(3):
                Order.objects.create(number=number).delete()
            found = self.called()
        self.assertEqual([sender for _, sender, _ in found], [Order] * 3)
        self.assertNotIn("instance", found[0][2])
        texts = [record.getMessage() for record in logs.records]
        self.assertEqual([re.search(r"'(\w+)' of .*hear_in_", text)[1] for text in texts], ["instance", "origin"])

    def test_what_cannot_travel_is_logged(self):
        self.connect(happened, self.hear)
        with self.assertLogs("csignals.deferred", "WARNING") as logs:
            for _ in range(3):
                happened.send(None, request=object(), number=1)
            self.assertEqual(self.called(), [(self.hear.__name__, None, ["number", "signal"])] * 3)
        (record,) = logs.records
        self.assertIn("request", record.getMessage())

    def test_a_row_gone_later_is_left_out(self):
        self.connect(post_save, self.hear)
        Order.objects.create(number=1)
        Order.objects.all().delete()
        ((_, sender, names),) = self.called()
        self.assertEqual(sender, Order)
        self.assertNotIn("instance", names)
        self.assertIn("created", names)

    def test_settings_holders_do_not_raise(self):
        self.connect(setting_changed, self.hear)
        with self.settings(LANGUAGE_CODE="de"):
            pass
        self.assertEqual([names for *_, names in self.called()], [["enter", "setting", "signal", "value"]] * 2)

    def test_a_message_may_name_no_module(self):
        """A worker imports nothing for a sender that it has not loaded: it is None, and the call is made."""
        self.connect(happened, self.hear)
        happened.send(Order)
        content = json.loads(self.box.messages.pop())
        content["sender"] = {"$": "class", "v": "antigravity:Sender"}
        with self.assertLogs("csignals.deferred", "WARNING"):
            deferred.run(json.dumps(content))
        self.assertEqual(calls, [(self.hear.__name__, None, ["signal"])])
        self.assertNotIn("antigravity", sys.modules)
