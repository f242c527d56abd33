"""django-simple-history: its records, and the signals that it sends before and after each record."""

from django.db import models
from django.db.models.signals import class_prepared, post_save
from project import configure, create_tables, heard, listen, names, report

configure("django.contrib.contenttypes", "django.contrib.auth", "simple_history")

from simple_history.models import HistoricalRecords  # noqa: E402  # imports the user's model
from simple_history.signals import (  # noqa: E402
    post_create_historical_m2m_records,
    post_create_historical_record,
    pre_create_historical_record,
)


class Tag(models.Model):
    name = models.TextField()


class Poll(models.Model):
    question = models.TextField()
    tags = models.ManyToManyField(Tag)
    history = HistoricalRecords(m2m_fields=[tags])


def hear_before(sender, instance, history_instance, **named):
    heard.append(["before", sender.__name__, history_instance.history_type, history_instance.pk is None])
    history_instance.history_change_reason = f"because of {instance.question}"


def hear_after(sender, instance, history_instance, **named):
    heard.append(["after", sender.__name__, history_instance.history_type, history_instance.pk is None])


def hear_tags(sender, created_rows, **named):
    heard.append(["tags", sender.__name__, [row.tag.name for row in created_rows]])


create_tables()
pre_create_historical_record.connect(hear_before)
post_create_historical_record.connect(hear_after)
post_create_historical_m2m_records.connect(hear_tags)

observed = {"names": {"class_prepared": names(class_prepared.receivers), "post_save": names(post_save.receivers)}}

poll = Poll.objects.create(question="one?")
observed["created"] = listen()
poll.question = "two?"
poll.save()
observed["changed"] = listen()
poll.tags.add(Tag.objects.create(name="tag"))
observed["tagged"] = listen()
Poll.objects.update(question="three?")
Poll.objects.bulk_create([Poll(question="bulk?")])
observed["bulk"] = listen()
poll.skip_history_when_saving = True
poll.save()
del poll.skip_history_when_saving
observed["skipped"] = listen()
poll.delete()
observed["deleted"] = listen()

records = Poll.history.order_by("history_id")
observed["records"] = [[each.history_type, each.question, each.history_change_reason] for each in records]

report(**observed)
