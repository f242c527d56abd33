"""The steps as tests of the project, which ``manage.py test`` runs: in a transaction, and without one."""

from django.test import TestCase, TransactionTestCase
from everything import steps


def tests_of(chosen):
    return {f"test_{step.__name__}": staticmethod(step) for step in chosen}


#: The test database is migrated already.
STEPS = [step for play, of_play in steps.PLAYS.items() if play != "migrate" for step in of_play]

#: The end of a request closes a connection in a transaction, except with Django's test client.
WITHOUT_SERVER = [step for step in STEPS if not step.__name__.endswith(("wsgi", "asgi"))]


class ManyDatabases:
    databases = frozenset({"default", "other"})


InTransactionTests = type("InTransactionTests", (ManyDatabases, TestCase), tests_of(WITHOUT_SERVER))
CommittedTests = type("CommittedTests", (ManyDatabases, TransactionTestCase), tests_of(STEPS))
