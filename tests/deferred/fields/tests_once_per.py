"""One call after the commit, however many sends a transaction makes: ``once_per``."""

import contextlib

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import Signal
from django.test import TransactionTestCase
from fields.boxed import BoxedTests
from fields.models import Child, EveryField, Parent, Proxy

from csignals import deferred
from csignals.testing import inline_deferred

sent = Signal()


class UndoneError(Exception):
    pass


def take(name):
    """Return a new function of this module that appends its calls."""

    def receive(sender, instance=None, number=None, **named):
        BoxedTests.calls.append((name, instance and instance.pk, number))

    receive.__name__ = receive.__qualname__ = name
    globals()[name] = receive
    return receive


def take_number(sender, number, **named):
    BoxedTests.calls.append(number)


class OncePerTests(BoxedTests):
    def setUp(self):
        super().setUp()
        self.one, self.two = Parent.objects.create(), Parent.objects.create()

    def connect(self, once_per, name="take_it", signal=sent):
        receiver = self.decorate(once_per=once_per)(take(f"{name}_{self._testMethodName}"))
        signal.connect(receiver)
        self.addCleanup(signal.disconnect, receiver)

    def send(self, row, number):
        sent.send(type(row), instance=row, number=number)

    def called(self):
        """Return what the receivers were called with up to now, in the order of their calls."""
        self.box.run()
        return [(pk, number) for _, pk, number in self.taken()]

    def test_the_last_send_of_a_row_counts(self):
        self.connect("instance")
        with transaction.atomic():
            for number in range(3):
                self.send(self.one, number)
                self.send(self.two, -number)
            self.assertEqual(self.called(), [])
        self.assertEqual(sorted(self.called()), sorted([(self.one.pk, 2), (self.two.pk, -2)]))

    def test_the_last_send_of_all_counts(self):
        self.connect("transaction")
        with transaction.atomic():
            for number in range(3):
                self.send(self.one, number)
                self.send(self.two, -number)
            self.assertEqual(self.called(), [])
        self.assertEqual(self.called(), [(self.two.pk, -2)])

    def test_each_transaction_has_its_call(self):
        for once_per in "instance", "transaction":
            self.connect(once_per, once_per)
        for number in range(2):
            with transaction.atomic():
                self.send(self.one, "first")
                self.send(self.one, number)
            self.assertEqual(self.called(), [(self.one.pk, number)] * 2)

    def test_sends_without_transaction_call_each_time(self):
        for once_per in "instance", "transaction":
            self.connect(once_per, once_per)
        for number in range(2):
            self.send(self.one, number)
        self.assertEqual(sorted(self.called()), [(self.one.pk, 0)] * 2 + [(self.one.pk, 1)] * 2)

    def test_a_rollback_drops_all_sends(self):
        self.connect("instance")
        with contextlib.suppress(UndoneError), transaction.atomic():
            self.send(self.one, 1)
            self.send(self.one, 2)
            raise UndoneError
        self.assertEqual(self.called(), [])
        with transaction.atomic():
            self.send(self.one, 3)
        self.assertEqual(self.called(), [(self.one.pk, 3)])

    def test_an_undone_savepoint_leaves_the_earlier(self):
        for once_per in "instance", "transaction":
            self.connect(once_per, once_per)
        with transaction.atomic():
            self.send(self.one, 1)
            with contextlib.suppress(UndoneError), transaction.atomic():
                self.send(self.one, 2)
                with transaction.atomic():
                    self.send(self.one, 3)
                raise UndoneError
        self.assertEqual(self.called(), [(self.one.pk, 1)] * 2)

    def test_a_committed_savepoint_replaces_the_earlier(self):
        for once_per in "instance", "transaction":
            self.connect(once_per, once_per)
        with transaction.atomic():
            self.send(self.one, 1)
            with transaction.atomic():
                self.send(self.one, 2)
                with contextlib.suppress(UndoneError), transaction.atomic():
                    self.send(self.one, 3)
                    raise UndoneError
        self.assertEqual(self.called(), [(self.one.pk, 2)] * 2)

    def test_a_send_after_an_undone_savepoint_counts(self):
        for once_per in "instance", "transaction":
            self.connect(once_per, once_per)
        with transaction.atomic():
            with contextlib.suppress(UndoneError), transaction.atomic():
                self.send(self.one, 1)
                raise UndoneError
            self.send(self.one, 2)
        self.assertEqual(self.called(), [(self.one.pk, 2)] * 2)

    def test_an_undone_savepoint_alone_calls_nothing(self):
        self.connect("instance")
        with transaction.atomic():
            with contextlib.suppress(UndoneError), transaction.atomic():
                self.send(self.one, 1)
                raise UndoneError
            self.send(self.two, 2)
        self.assertEqual(self.called(), [(self.two.pk, 2)])

    def test_an_outer_savepoint_undoes_the_inner(self):
        self.connect("instance")
        with transaction.atomic():
            with contextlib.suppress(UndoneError), transaction.atomic():
                self.send(self.one, 1)
                with transaction.atomic():
                    self.send(self.one, 2)
                raise UndoneError
            with transaction.atomic():
                with contextlib.suppress(UndoneError), transaction.atomic():
                    self.send(self.two, 3)
                    raise UndoneError
                self.send(self.two, 4)
        self.assertEqual(self.called(), [(self.two.pk, 4)])

    def test_two_receivers_do_not_share(self):
        self.connect("instance", "first")
        self.connect("instance", "second")
        with transaction.atomic():
            self.send(self.one, 1)
            self.send(self.one, 2)
        self.assertEqual(self.called(), [(self.one.pk, 2)] * 2)

    def test_other_databases_have_rows_of_their_own(self):
        self.connect("instance")
        other = Parent.objects.using("other").create(pk=self.one.pk)
        for outer, inner in ("default", "other"), ("other", "default"):
            with transaction.atomic(using=outer), transaction.atomic(using=inner):
                for number in range(2):
                    sent.send(Parent, instance=self.one, number=number, using="default")
                    sent.send(Parent, instance=other, number=-number, using="other")
                self.assertEqual(self.called(), [])
            self.assertEqual(sorted(self.called()), [(self.one.pk, -1), (self.one.pk, 1)])

    def test_other_models_have_rows_of_their_own(self):
        self.connect("instance")
        row = EveryField.objects.create(pk=self.one.pk)
        with transaction.atomic():
            for number in range(2):
                self.send(self.one, number)
                self.send(row, 10 + number)
        self.assertEqual(sorted(self.called()), [(self.one.pk, 1), (row.pk, 11)])

    def test_copies_of_a_row_are_one(self):
        self.connect("instance")
        with transaction.atomic():
            self.send(Parent.objects.get(pk=self.one.pk), 1)
            self.send(Parent.objects.only("pk").get(pk=self.one.pk), 2)
        self.assertEqual(self.called(), [(self.one.pk, 2)])

    def test_a_new_row_is_one_row(self):
        self.connect("instance", signal=post_save)
        with transaction.atomic():
            row = Parent.objects.create()
            row.save()
            Parent.objects.get(pk=row.pk).save()
        self.assertEqual(self.called(), [(row.pk, None)])

    def test_a_proxy_or_child_is_called(self):
        self.connect("instance")
        child = Child.objects.create()
        with transaction.atomic():
            for row in Proxy.objects.get(pk=child.pk), child, EveryField.objects.get(pk=child.pk):
                self.send(row, 1)
                self.send(row, 2)
        self.assertEqual({number for _, number in self.called()}, {2})

    def test_unsaved_rows_are_different_rows(self):
        """Although one of them may get the place in memory that another one had."""
        receiver = self.decorate(once_per="instance")(take_number)
        sent.connect(receiver)
        self.addCleanup(sent.disconnect, receiver)
        with transaction.atomic():
            for number in range(5):
                self.send(Parent(), number)
        self.box.run()
        self.assertEqual(sorted(self.taken()), [*range(5)])

    def test_a_transaction_within_the_commit_has_its_call(self):
        for once_per in "instance", "transaction":
            self.connect(once_per, once_per)

        def send_again():
            with transaction.atomic():
                self.send(self.one, 1)
                self.send(self.one, 2)

        with transaction.atomic():
            transaction.on_commit(send_again)
            self.send(self.one, 3)
            self.send(self.one, 4)
        self.assertEqual(self.called(), [(self.one.pk, 2)] * 2 + [(self.one.pk, 4)] * 2)

    def test_another_value_is_refused(self):
        for wrong in "row", True, 1:
            with self.subTest(wrong=wrong), self.assertRaisesRegex((TypeError, ValueError), "'instance'"):
                self.decorate(once_per=wrong)(take("take_wrong"))


class DeferredOnceTests(OncePerTests, TransactionTestCase):
    decorate = staticmethod(deferred.deferred)

    def test_inline_receivers_are_called_each_time(self):
        self.connect("instance")
        with inline_deferred(), transaction.atomic():
            self.send(self.one, 1)
            self.send(self.one, 2)
        self.assertEqual([number for *_, number in self.taken()], [1, 2])


class OnCommitOnceTests(OncePerTests, TransactionTestCase):
    decorate = staticmethod(deferred.on_commit)
