"""The command ``list_signals`` of django-extensions finds signals with ``gc.get_objects`` and unpacks their entries.

Up to version 4.1 it fails on Django 6.0 and newer, whose entries have one more item. With csignals it must fail alike.
"""

import gc
import io

from django.core.management import call_command
from django.db import models
from django.db.models.signals import ModelSignal, post_delete, post_save, pre_save
from project import configure, create_tables, names, report

configure("django_extensions")


class Author(models.Model):
    class Meta:
        verbose_name = "writer"


class Book(models.Model):
    authors = models.ManyToManyField(Author)


own_signal = ModelSignal(use_caching=True)


def first(**named):
    pass


def second(**named):
    pass


def strong(**named):
    pass


async def awaited(**named):
    pass


def list_signals():
    output = io.StringIO()
    try:
        call_command("list_signals", stdout=output)
    except ValueError as error:
        return str(error)
    return output.getvalue().splitlines()


def collected():
    """Return the receivers that the command finds, found in the same way."""
    signals = [each for each in gc.get_objects() if isinstance(each, ModelSignal)]
    return sorted(names(signal.receivers) for signal in signals if signal.receivers)


create_tables()
pre_save.connect(first, sender=Author)
pre_save.connect(second, sender=Book)
post_save.connect(second, sender=Author)
post_save.connect(first, sender=Author)
post_save.connect(awaited, sender=Author)
post_delete.connect(strong, sender=Book, weak=False)
own_signal.connect(first, sender=Book)

observed = {"connected": list_signals(), "collected": collected()}
Book.objects.create().authors.add(Author.objects.create())
own_signal.send(Book)
observed["sent"] = list_signals()
post_save.disconnect(second, sender=Author)
del own_signal
observed["disconnected"] = list_signals()
observed["collected at the end"] = collected()

report(**observed)
