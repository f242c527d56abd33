"""A message waits for the transactions of all databases that its rows live in, and of `using`."""

import contextlib

from django.db import connections, transaction
from django.dispatch import Signal
from django.test import TransactionTestCase
from fields.boxed import BoxedTests
from fields.models import Parent

from csignals.deferred import deferred, on_commit

sent = Signal()


class UndoneError(Exception):
    pass


@deferred
def hear(row, more=None, **named):
    BoxedTests.calls.append(("hear", row, more))


@deferred
def hear_anything(sender, **named):
    BoxedTests.calls.append(("anything", sorted(named)))


def take_deferred(number, **named):
    BoxedTests.calls.append(("deferred", number))


def take_on_commit(number, **named):
    BoxedTests.calls.append(("on commit", number))


def after_other():
    """Return receivers that wait for the other database alone."""
    return deferred(using="other")(take_deferred), on_commit(using="other")(take_on_commit)


class DatabaseTests(BoxedTests, TransactionTestCase):
    def connect(self, *receivers):
        for receiver in receivers:
            sent.connect(receiver)
            self.addCleanup(sent.disconnect, receiver)

    def count(self):
        return len(self.box.messages)

    def test_the_row_decides_without_using(self):
        self.connect(hear)
        for using in {}, {"using": None}, {"using": "default"}, {"using": "nowhere"}:
            with self.subTest(**using):
                with transaction.atomic(using="other"):
                    row = Parent.objects.using("other").create()
                    sent.send(None, row=row, **using)
                    self.assertEqual(self.count(), 0)
                self.assertEqual(self.count(), 1)
                self.box.run()
                self.assertEqual(self.taken(), [("hear", row, None)])

    def test_it_waits_for_both_commits(self):
        self.connect(hear)
        for last, first in ("default", "other"), ("other", "default"):
            with self.subTest(last=last):
                with transaction.atomic(using=last):
                    with transaction.atomic(using=first):
                        rows = {each: Parent.objects.using(each).create() for each in (last, first)}
                        sent.send(None, row=rows["other"], using="default")
                        sent.send(None, row=rows["default"], using="other")
                        sent.send(None, row=rows["default"], more=rows["other"])
                        sent.send(None, row=1, more=[{"deep": (rows["other"],)}, rows["default"]])
                        self.assertEqual(self.count(), 0)
                    self.assertEqual(self.count(), 0)
                self.assertEqual(self.count(), 4)
                self.box.run()
                self.assertEqual(len(self.taken()), 4)

    def test_transactions_may_end_in_any_order(self):
        self.connect(hear)
        for order in ("default", "other"), ("other", "default"):
            with self.subTest(order=order):
                scopes = {}
                for alias in order:
                    scopes[alias] = contextlib.ExitStack()
                    scopes[alias].enter_context(transaction.atomic(using=alias))
                sent.send(None, row=Parent.objects.using("other").create(), using="default")
                scopes[order[0]].close()
                self.assertEqual(self.count(), 0)
                scopes[order[1]].close()
                self.assertEqual(self.count(), 1)
                self.box.run()
                self.assertEqual(len(self.taken()), 1)

    def test_a_rollback_of_either_drops_it(self):
        self.connect(hear)
        for outer, inner in ("default", "other"), ("other", "default"):
            for undone in outer, inner:
                with self.subTest(outer=outer, undone=undone):
                    with contextlib.suppress(UndoneError), transaction.atomic(using=outer):
                        with contextlib.suppress(UndoneError), transaction.atomic(using=inner):
                            sent.send(None, row=Parent.objects.using("other").create(), using="default")
                            if undone == inner:
                                raise UndoneError
                        if undone == outer:
                            raise UndoneError
                    self.assertEqual(self.count(), 0)

    def test_a_rollback_of_a_savepoint_drops_it(self):
        self.connect(hear)
        for undone in "default", "other":
            with self.subTest(undone=undone):
                with transaction.atomic(using="default"), transaction.atomic(using="other"):
                    kept = Parent.objects.using("other").create()
                    with contextlib.suppress(UndoneError), transaction.atomic(using=undone):
                        sent.send(None, row=Parent.objects.using("other").create(), using="default")
                        raise UndoneError
                    with transaction.atomic(using=undone):
                        sent.send(None, row=kept, using="default")
                    self.assertEqual(self.count(), 0)
                self.assertEqual(self.count(), 1)
                self.box.run()
                self.assertEqual(self.taken(), [("hear", kept, None)])

    def test_a_late_rollback_drops_it(self):
        """The commit of one database does not help if the other one's savepoint is rolled back after it."""
        self.connect(hear)
        with transaction.atomic("other"), contextlib.suppress(UndoneError), transaction.atomic("other"):
            with transaction.atomic("default"):
                sent.send(None, row=Parent.objects.using("other").create(), using="default")
            self.assertEqual(self.count(), 0)
            raise UndoneError
        self.assertEqual(self.count(), 0)

    def test_only_one_database_is_in_a_transaction(self):
        self.connect(hear)
        row = Parent.objects.using("other").create()
        with transaction.atomic(using="default"):
            sent.send(None, row=row)  # it names no using: its rows decide
            without = self.count()
            sent.send(None, row=row, using="default")
            self.assertEqual(self.count(), without)
        self.assertEqual(self.count(), 2)

    def test_receivers_that_name_nothing_wait(self):
        self.connect(hear_anything)
        with transaction.atomic(using="default"):
            with transaction.atomic(using="other"):
                sent.send(None, row=Parent.objects.using("other").create(), x=object(), using="default")
            self.assertEqual(self.count(), 0)
        self.box.run()
        self.assertEqual(self.taken(), [("anything", ["row", "signal", "using"])])

    def test_a_row_as_the_sender_counts(self):
        self.connect(hear_anything)
        with transaction.atomic(using="other"):
            sent.send(Parent.objects.using("other").create())
            self.assertEqual(self.count(), 0)
        self.assertEqual(self.count(), 1)

    def test_a_list_that_contains_itself_is_searched(self):
        receiver = on_commit(take_on_commit)
        self.connect(receiver)
        with transaction.atomic(using="other"):
            loop: list = [{"rows": (Parent.objects.using("other").create(),)}]
            for _ in range(20):
                loop = [loop, loop]
            loop[1].append(loop)
            sent.send(None, number=1, loop=loop)
            self.assertEqual(self.taken(), [])
        self.assertEqual(self.taken(), [("on commit", 1)])

    def test_the_receiver_may_override_it(self):
        receivers = after_other()
        self.connect(*receivers)
        with transaction.atomic(using="other"):
            with transaction.atomic(using="default"):
                sent.send(None, number=1, using="default")
            self.assertEqual((self.count(), self.taken()), (0, []))
        self.box.run()
        self.assertEqual(sorted(self.taken()), [("deferred", 1), ("on commit", 1)])

    def test_other_transactions_do_not_matter_then(self):
        receivers = after_other()
        self.connect(*receivers)
        with transaction.atomic(using="default"):
            sent.send(None, number=1, using="default")
            self.assertEqual((self.count(), self.taken()), (1, [("on commit", 1)]))
        with contextlib.suppress(UndoneError), transaction.atomic(using="other"):
            sent.send(None, number=2)
            raise UndoneError
        self.assertEqual((self.count(), self.taken()), (1, []))

    def test_rows_of_others_do_not_open_connections(self):
        self.connect(hear)
        row = Parent.objects.using("other").create()
        connections["other"].close()
        sent.send(None, row=row, using="default")
        self.assertIsNone(connections["other"].connection)
        self.assertEqual(self.count(), 1)
