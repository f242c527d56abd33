"""django-reversion: revisions, its signals, and its ``mute_signals``, which takes the lock and clears the cache."""

import reversion
from django.db import models
from django.db.models.signals import m2m_changed, post_save
from project import configure, create_tables, heard, listen, names, report

configure("django.contrib.contenttypes", "django.contrib.auth", "reversion")

from reversion.models import Revision, Version  # noqa: E402  # a model needs the apps
from reversion.signals import post_revision_commit, pre_revision_commit  # noqa: E402
from reversion.utils import mute_signals  # noqa: E402


@reversion.register()
class Tag(models.Model):
    name = models.TextField()


@reversion.register(follow=["tags"])
class Article(models.Model):
    title = models.TextField()
    tags = models.ManyToManyField(Tag)


def hear_save(sender, instance, created, **named):
    heard.append(["post_save", str(instance), created])


def hear_saved_while_muted(**named):
    heard.append(["while muted"])


def hear_commit(signal, sender, revision, versions, **named):
    which = "pre" if signal is pre_revision_commit else "post"
    heard.append([which, sender.__name__, revision.comment, [version.object_repr for version in versions]])


create_tables()
post_save.connect(hear_save, sender=Article)
pre_revision_commit.connect(hear_commit)
post_revision_commit.connect(hear_commit)

observed = {"names": names(post_save.receivers)}

with reversion.create_revision():
    article = Article.objects.create(title="first")
    article.tags.add(Tag.objects.create(name="tag"))
    reversion.set_comment("created")
observed["created"] = listen()

with reversion.create_revision():
    article.title = "second"
    article.save()
    reversion.set_comment("changed")
observed["changed"] = listen()

article.title = "no revision"
article.save()
observed["outside"] = listen()

with mute_signals(post_save, m2m_changed):
    with reversion.create_revision():
        article.title = "muted"
        article.save()
        article.tags.clear()
    post_save.connect(hear_saved_while_muted, sender=Article)
    article.save()
    observed["muted"] = listen()
observed["names after muting"] = names(post_save.receivers)

with reversion.create_revision():
    article.save()
    article.tags.add(Tag.objects.get())
observed["after muting"] = listen()

versions = Version.objects.get_for_object(article)
observed["titles"] = [version.field_dict["title"] for version in versions]
observed["comments"] = [version.revision.comment for version in versions]

versions.last().revision.revert()
observed["reverted"] = listen()
observed["title"] = Article.objects.get().title

reversion.unregister(Article)
with reversion.create_revision():
    article.save()
observed["unregistered"] = listen()
observed["revisions"] = Revision.objects.count()

report(**observed)
