"""Receivers that run after a commit, and messages that are sent to workers then. test_deferred_in_django.py runs it."""

import asyncio
from unittest import mock, skipUnless

from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import OperationalError, connections, transaction
from django.db.migrations.state import ProjectState
from django.db.models import QuerySet
from django.db.models.signals import post_init, post_save
from django.test import TestCase, TransactionTestCase
from django.utils.functional import SimpleLazyObject
from store import models
from store.models import Order, Rush, Ticket, happened, heard, waited

from csignals import deferred, list_receivers, testing, trace
from tests.deferred.box import Box


class UndoneError(Exception):
    pass


class Expression:
    """Django calls the method of such an object in a query."""

    def resolve_expression(self, *args, **named):
        heard.append(("called",))


class ReceiverTests:
    databases = frozenset({"default", "other"})

    def setUp(self):
        self.box = Box()
        deferred.configure(self.box)
        heard.clear()

    def heard(self, *kinds):
        found = [each[1:] for each in heard if each[0] in kinds]
        heard.clear()
        return found


class OnCommitTests(ReceiverTests, TransactionTestCase):
    def test_it_runs_immediately_without_transaction(self):
        Order.objects.create(number=1)
        self.assertEqual(self.heard("saved"), [(1, True)])

    def test_it_runs_after_the_transaction(self):
        with transaction.atomic():
            order = Order.objects.create(number=1)
            order.number = 2
            self.assertEqual(self.heard("saved"), [])
        self.assertEqual(self.heard("saved"), [(2, True)])

    def test_a_rollback_discards_the_call(self):
        with self.assertRaises(UndoneError), transaction.atomic():
            Order.objects.create(number=1)
            raise UndoneError
        self.assertEqual(self.heard("saved"), [])

    def test_only_committed_savepoints_count(self):
        with transaction.atomic():
            Order.objects.create(number=1)
            with self.assertRaises(UndoneError), transaction.atomic():
                Order.objects.create(number=2)
                with transaction.atomic():
                    Order.objects.create(number=3)
                raise UndoneError
            with transaction.atomic():
                Order.objects.create(number=4)
            self.assertEqual(self.heard("saved"), [])
        self.assertEqual(self.heard("saved"), [(1, True), (4, True)])

    def test_the_send_may_name_the_database(self):
        with transaction.atomic(using="default"):
            Order.objects.using("other").create(number=1)
            self.assertEqual(self.heard("saved"), [(1, True)])
        with transaction.atomic(using="other"):
            Order.objects.using("other").create(number=1)
            self.assertEqual(self.heard("saved"), [])
        self.assertEqual(self.heard("saved"), [(1, True)])

    def test_the_receiver_may_name_the_database(self):
        with transaction.atomic(using="other"):
            happened.send(None, what="it")
            self.assertEqual(self.heard("other"), [])
        self.assertEqual(self.heard("other"), [("it",)])

    def test_other_sends_use_the_default_database(self):
        for using in None, "nowhere", 1, "default":
            with self.subTest(using=using), transaction.atomic():
                models.hear_save(sender=Order, instance=Order(number=1), created=True, using=using)
                self.assertEqual(self.heard("saved"), [])
            self.assertEqual(self.heard("saved"), [(1, True)])

    def test_robust_errors_do_not_stop_others(self):
        with self.assertLogs("django.db.backends.base", "ERROR") as logs, transaction.atomic(using="other"):
            happened.send(None, what="failure")
            happened.send(None, what="next")
        self.assertIn("hear_other", logs.records[0].getMessage())
        self.assertEqual(self.heard("other"), [("failure",), ("next",)])

    def test_traces_record_calls_at_the_commit(self):
        with trace() as found:
            with transaction.atomic():
                order = Order.objects.create(number=1)
                order.tags.add(order)
            asked, *others = [each for each in found.records if each.receiver == "store.models.hear_save"]
            called = others[-1]
        self.assertEqual(len(others), 1)
        self.assertIs(called.parent, asked.send)
        self.assertIs(called.send.parent, asked)
        self.assertEqual((called.signal, called.sender), (asked.signal, asked.sender))
        self.assertGreaterEqual(called.start_ns, max(each.end_ns for each in found.records if each is not called))
        self.assertGreaterEqual(asked.self_ns, 0)
        self.assertIn("hear_save", str(found))

    def test_a_trace_may_end_before_the_commit(self):
        with transaction.atomic():
            with trace() as found:
                Order.objects.create(number=1)
            recorded = len(found.records)
        self.assertEqual(len(self.heard("saved")), 1)
        self.assertEqual(len(found.records), recorded)

    def test_an_async_receiver_is_rejected(self):
        async def hear(**named):
            pass

        with self.assertRaisesMessage(TypeError, "is async"):
            deferred.on_commit(hear)

    def test_a_method_may_be_decorated(self):
        class Listener:
            @deferred.on_commit
            def hear(self, sender, **named):
                heard.append(("method", self, sender))

        listener = Listener()
        happened.connect(listener.hear)
        try:
            with transaction.atomic():
                happened.send(1, what="it")
                self.assertEqual(self.heard("method"), [])
            self.assertEqual(self.heard("method"), [(listener, 1)])
            runs = {each.receiver.rpartition(".")[2]: each.runs for each in list_receivers(happened)}
            self.assertEqual(runs["hear"], "after the commit")
        finally:
            happened.disconnect(listener.hear)


class OnCommitInTestCaseTests(ReceiverTests, TestCase):
    def test_captured_callbacks_run_in_tests(self):
        with self.captureOnCommitCallbacks(execute=True):
            Order.objects.create(number=1)
            self.assertEqual(self.heard("saved"), [])
        self.assertEqual(self.heard("saved"), [(1, True)])
        self.assertEqual(len(self.box.messages), 1)

    def test_inline_receivers_are_called_immediately(self):
        with testing.inline_deferred():
            order = Order.objects.create(number=1)
            self.assertEqual(self.heard("worked"), [(Order, Order, 1, "default", True, None, "default")])
            order.save(update_fields=["number"])
            ((*_, update_fields, _),) = self.heard("worked")
            self.assertEqual(update_fields, frozenset({"number"}))
            waited.send(Order)
            self.assertEqual(self.heard("waited"), [(Order,)])


class DeferredTests(ReceiverTests, TransactionTestCase):
    def test_rows_are_fetched_again(self):
        Order.objects.create(number=1)
        Order.objects.update(number=2)
        with self.assertNumQueries(1):
            self.box.run()
        self.assertEqual(self.heard("worked"), [(Order, Order, 2, "default", True, None, "default")])

    def test_rows_keep_their_database(self):
        Order.objects.using("other").create(number=1)
        self.box.run()
        self.assertEqual(self.heard("worked"), [(Order, Order, 1, "other", True, None, "other")])

    def test_through_models_and_key_sets_travel(self):
        one, two = Order.objects.create(number=1), Order.objects.create(number=2)
        self.box.messages.clear()
        one.tags.add(two)
        self.box.run()
        actions = [("pre_add", {two.pk}), ("post_add", {two.pk})]
        expected = [(Order.tags.through, 1, action, pks, Order) for action, pks in actions]
        found = self.heard("tags")
        self.assertEqual(found[:2], expected)

    def test_proxy_models_stay_proxy_models(self):
        post_save.connect(models.work_on, sender=Rush)
        try:
            Rush.objects.create(number=5)
        finally:
            post_save.disconnect(models.work_on, sender=Rush)
        self.box.run()
        self.assertEqual(self.heard("worked"), [(Rush, Rush, 5, "default", True, None, "default")])

    def test_messages_are_enqueued_after_the_commit(self):
        with transaction.atomic():
            Order.objects.create(number=1)
            self.assertEqual(self.box.messages, [])
        self.assertEqual(len(self.box.messages), 1)
        with self.assertRaises(UndoneError), transaction.atomic():
            Order.objects.create(number=1)
            raise UndoneError
        self.assertEqual(len(self.box.messages), 1)
        with transaction.atomic(using="other"):
            Order.objects.create(number=1)
            self.assertEqual(len(self.box.messages), 2)
            Order.objects.using("other").create(number=1)
            self.assertEqual(len(self.box.messages), 2)
        self.assertEqual(len(self.box.messages), 3)

    def test_manual_commits_raise_an_error(self):
        transaction.set_autocommit(False)
        try:
            with self.assertRaises(transaction.TransactionManagementError):
                models.work_on(signal=post_save, sender=Order, instance=1, created=True, update_fields=None, using="")
        finally:
            transaction.set_autocommit(True)
        self.assertEqual(self.box.messages, [])

    def test_on_commit_false_enqueues_immediately(self):
        with transaction.atomic(), transaction.atomic(using="other"):
            happened.send(Order, what=[1])
            self.assertEqual(len(self.box.messages), 1)
        self.box.run()
        self.assertEqual(self.heard("at once"), [(happened, Order, [1])])

    def test_type_errors_come_before_the_commit(self):
        with transaction.atomic(), self.assertRaisesMessage(TypeError, "the argument 'instance' cannot travel"):
            post_save.send(Order, instance=Order(), created=True, update_fields=None, using="default", raw=False)

    def test_failing_handovers_are_logged(self):
        def fail(message, prepared):
            if "number" in message:
                raise ConnectionError("the broker is down")
            self.box.messages.append(message)

        self.box.enqueue = fail
        logged = self.assertLogs("csignals.deferred", "ERROR")
        with logged as logs, self.assertRaises(ConnectionError), transaction.atomic():
            models.counted.send(None, number=7)
            waited.send(Order)
        self.assertEqual(self.box.messages, [])
        self.assertIn("A call of store.models:write_down is lost", logs.output[0])
        self.assertIn('"number":7', logs.output[0])
        self.assertIn("the broker is down", logs.output[0])

    def test_robust_handovers_do_not_stop_others(self):
        robust = deferred.deferred(robust=True)(models.write_down.__wrapped__)
        models.counted.disconnect(models.write_down)
        models.counted.connect(robust)
        enqueue = mock.Mock(side_effect=[ConnectionError("the broker is down"), None])
        try:
            patched = mock.patch.object(self.box, "enqueue", enqueue)
            with self.assertLogs("csignals.deferred", "ERROR") as logs, patched, transaction.atomic():
                models.counted.send(None, number=7)
                waited.send(Order)
        finally:
            models.counted.disconnect(robust)
            models.counted.connect(models.write_down)
            deferred.deferred(models.write_down.__wrapped__)
        self.assertEqual(enqueue.call_count, 2)
        self.assertEqual(len(logs.output), 1)

    def test_missing_rows_may_be_none(self):
        calls = models.declare(deferred.deferred(missing="none"))
        order = Order.objects.create()
        self.box.messages.clear()
        models.named.send(None, what=order, others=[order])
        order.delete()
        self.box.run()
        self.assertEqual(calls, [(None, None)])

    def test_arguments_with_defaults_are_left_out(self):
        calls = models.declare(deferred.deferred)
        kept, order = Order.objects.create(), Order.objects.create()
        self.box.messages.clear()
        models.named.send(None, what=kept, others=[order])
        order.delete()
        with self.assertLogs("csignals.deferred", "WARNING") as logs:
            self.box.run()
        self.assertEqual(calls, [(kept, "default")])
        self.assertIn("The argument 'others' of store.models:note_named is left out", logs.output[0])

    def test_one_query_fetches_all_rows(self):
        rows = Order.objects.bulk_create(Order(number=number) for number in range(500))
        tickets = [Ticket.objects.create() for _ in range(3)]
        there = [Order.objects.using("other").create(number=number) for number in range(3)]
        self.box.messages.clear()
        happened.send(None, what=[rows, tickets, there, rows])
        with self.assertNumQueries(2), self.assertNumQueries(1, using="other"):
            self.box.run()
        ((_, _, found),) = self.heard("at once")
        self.assertEqual(found, [rows, tickets, there, rows])
        self.assertIs(found[0][0], found[3][0])

    def test_a_missing_row_is_reported(self):
        one, two = Order.objects.create(number=1), Order.objects.create(number=2)
        Order.objects.filter(pk=one.pk).delete()
        with self.assertLogs("csignals.deferred", "WARNING") as logs:
            self.box.run()
        self.assertEqual(len(logs.records), 1)
        self.assertRegex(logs.records[0].getMessage(), r"store\.models:work_on.* store\.Order \d+ is not there")
        self.assertEqual([number for _, _, number, *_ in self.heard("worked")], [2])
        two.tags.add(Order.objects.create())
        messages = [each for each in self.box.messages if "work_on_tags" in each]
        Order.objects.all().delete()
        with self.assertRaisesMessage(LookupError, "is not there"):
            deferred.run(messages[0])

    def test_hostile_rows_are_rejected(self):
        Order.objects.create(number=1)
        (message,) = self.box.messages
        pk = Order.objects.get().pk
        for label, key, database in [
            ("store.Nothing", pk, "default"),
            ("nothing.Order", pk, "default"),
            ("store", pk, "default"),
            (1, pk, "default"),
            ("store.Order", "x", "default"),
            ("store.Order", [pk], "default"),
            ("store.Order", pk, "nowhere"),
            ("store.Order", pk, ["default"]),
            ("store.Order", {"$": "Decimal", "v": "1E+999999999"}, "default"),
            ("store.Order", {"$": "Decimal", "v": "1E+999999999999999999"}, "default"),
            ("store.Order", {"$": "Decimal", "v": "1E-999999999"}, "default"),
            ("store.Order", {"$": "tuple", "v": [{"$": "Decimal", "v": "1E+999999999"}]}, "default"),
            ("store.Order", {"$": "class", "v": "store.tests:Expression"}, "default"),
            ("store.Order", {"$": "row", "v": ["store.Order", pk, "default"]}, "default"),
            ("store.Ticket", "no UUID", "default"),
            ("store.Ticket", {"$": "UUID", "v": "x"}, "default"),
            ("store.Order", {"$": "Decimal", "v": "Infinity"}, "default"),
            ("store.Order", {"$": "set", "v": []}, None),
        ]:
            content = deferred.json.loads(message)
            content["named"]["instance"]["v"] = [label, key, database]
            with self.subTest(label=label, key=key, database=database), self.assertRaises(deferred.MessageRejected):
                deferred.run(deferred.json.dumps(content))
        self.assertEqual(self.heard("worked", "called"), [])

    def test_errors_in_post_init_propagate(self):
        Order.objects.create(number=1)

        def fail(**named):
            raise ValueError("no settings")

        post_init.connect(fail, sender=Order)
        try:
            with self.assertRaisesMessage(ValueError, "no settings") as raised:
                self.box.run()
        finally:
            post_init.disconnect(fail, sender=Order)
        self.assertNotIsInstance(raised.exception, deferred.MessageRejected)

    def test_a_receiver_may_override_on_commit(self):
        deferred.configure(self.box, on_commit=False)
        with transaction.atomic():
            waited.send(Order)
            self.assertEqual(self.box.messages, [])
        self.assertEqual(len(self.box.messages), 1)

    def test_unsaved_rows_cannot_travel(self):
        for row in Ticket(), Order(pk=1), Order():
            with self.subTest(row=row), self.assertRaisesMessage(TypeError, "is not saved"):
                happened.send(None, what=row)

    def test_uuid_keys_and_hidden_rows_travel(self):
        ticket = Ticket.objects.create(is_open=False)
        happened.send(None, what=ticket)
        self.box.run()
        self.assertEqual(self.heard("at once"), [(happened, None, ticket)])

    @skipUnless(hasattr(models, "Seat"), "Django before 5.2 has no composite keys")
    def test_rows_with_composite_keys_travel(self):
        seat = models.Seat.objects.create(row=1, number=2)
        happened.send(None, what=seat)
        messages = list(self.box.messages)
        self.box.run()
        self.assertEqual(self.heard("at once"), [(happened, None, seat)])
        hostile = messages[0].replace('[1,"2"]', '[1,"1E+999999999"]')
        self.assertNotEqual(hostile, messages[0])
        with self.assertRaises(deferred.MessageRejected):
            deferred.run(hostile)
        seat.delete()
        with self.assertRaisesMessage(TypeError, "is not saved"):
            happened.send(None, what=seat)

    def test_lazy_objects_travel_as_their_content(self):
        order = Order.objects.create(number=1)
        self.box.messages.clear()
        for wrapped in SimpleLazyObject(lambda: order), SimpleLazyObject(lambda: SimpleLazyObject(lambda: order)):
            happened.send(None, what=wrapped)
            happened.send(wrapped, what=1)
        self.box.run()
        self.assertEqual(self.heard("at once"), [(happened, None, order), (happened, order, 1)] * 2)

    def test_app_configs_can_travel(self):
        app = apps.get_app_config("store")
        happened.send(app, what=[app])
        self.box.run()
        self.assertEqual(self.heard("at once"), [(happened, app, [app])])

    def test_historical_models_arrive_as_todays(self):
        state = ProjectState.from_apps(apps)
        historical = state.apps.get_model("store", "Order")
        order = historical.objects.create(number=1)
        self.box.messages.clear()
        happened.send(historical, what=order)
        self.box.run()
        self.assertEqual(self.heard("at once"), [(happened, Order, Order.objects.get())])

    def test_database_errors_are_not_missing_rows(self):
        Order.objects.create(number=1)
        with mock.patch.object(QuerySet, "__iter__", side_effect=OperationalError), self.assertRaises(OperationalError):
            self.box.run()

    @skipUnless(hasattr(happened, "asend"), "Django 4.2 has no asend")
    def test_async_sends_enqueue_messages(self):
        async def send():
            await happened.asend(None, what="async")
            await sync_to_async(connections.close_all)()  # the connections of the thread that calls receivers

        asyncio.run(send())
        self.box.run()
        self.assertEqual(self.heard("at once"), [(happened, None, "async")])

    def test_a_send_opens_no_connection(self):
        for alias in "default", "other":
            connections[alias].close()
        happened.send(None, what="it")
        self.assertIs(connections["default"].connection, None)
