"""factory_boy's ``mute_signals`` as a context manager, a function decorator and a class decorator."""

import factory
from django.db import models
from django.db.models.signals import post_save, pre_save
from factory.django import DjangoModelFactory, mute_signals
from project import configure, create_tables, heard, listen, names, report

configure()


class Author(models.Model):
    name = models.TextField()


class AuthorFactory(DjangoModelFactory):
    name = "A"

    class Meta:
        model = Author


@mute_signals(post_save)
class QuietFactory(AuthorFactory):
    """Has a hook after creation that saves again. This save is muted, too."""

    class Meta:
        model = Author
        skip_postgeneration_save = True

    @factory.post_generation
    def saved_again(self, create, extracted, **kwargs):
        self.save()


def early(signal, **named):
    heard.append("early pre_save" if signal is pre_save else "early post_save")


def for_authors(**named):
    heard.append("for_authors")


def for_another_sender(**named):
    heard.append("for_another_sender")


def during(**named):
    heard.append("during")


def last(**named):
    heard.append("last")


def save():
    AuthorFactory()
    return listen()


@mute_signals(pre_save, post_save)
def muted_function():
    return save()


create_tables()
pre_save.connect(early)
post_save.connect(early)
post_save.connect(for_another_sender, sender=AuthorFactory)
post_save.connect(for_authors, sender=Author)
post_save.connect(last)

observed = {"before": save(), "before names": names(post_save.receivers)}

with mute_signals(post_save):
    observed["muted"] = save()
    with mute_signals(pre_save, post_save):
        observed["nested"] = save()
    observed["after nested"] = save()
observed["after"] = save()
observed["after names"] = names(post_save.receivers)

try:
    with mute_signals(post_save):
        raise ValueError
except ValueError:
    observed["after an error"] = save()

observed["function"] = muted_function(), muted_function()
observed["after function"] = save()

QuietFactory()
observed["factory"] = listen()
QuietFactory.create_batch(2)
observed["factory batch"] = listen()
observed["after factory"] = save()

with mute_signals(post_save):
    post_save.connect(during, sender=Author)
    observed["connected during"] = save()
observed["after connected during"] = save()
observed["last names"] = names(post_save.receivers)

with mute_signals(post_save):
    # The receiver is not in the muted list. It returns with the original list.
    observed["disconnected during"] = post_save.disconnect(during, sender=Author)
observed["after disconnected during"] = save()
observed["disconnected after"] = post_save.disconnect(during, sender=Author)
observed["at the end"] = save()

report(**observed)
