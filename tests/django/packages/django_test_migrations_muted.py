"""django-test-migrations removes the lists of receivers during a migration. It takes no lock and clears no cache."""

from django.core.management import call_command
from django.db.models.signals import post_migrate, pre_migrate
from django_test_migrations.migrator import Migrator
from django_test_migrations.signals import mute_migrate_signals
from project import configure, heard, listen, names, report

configure("django.contrib.contenttypes", "django.contrib.auth")


def hear(signal, sender, **named):
    heard.append(["pre_migrate" if signal is pre_migrate else "post_migrate", sender.label])


pre_migrate.connect(hear)
post_migrate.connect(hear)

before = names(pre_migrate.receivers), names(post_migrate.receivers)
call_command("migrate", verbosity=0)
observed = {"migrated": listen(), "names": before}

migrator = Migrator()
state = migrator.apply_initial_migration(("auth", "0001_initial"))
observed["state"] = sorted(model for app, model in state.models if app == "auth")
migrator.apply_tested_migration(("auth", "0002_alter_permission_name_max_length"))
observed["muted"] = listen()
observed["names after"] = names(pre_migrate.receivers), names(post_migrate.receivers)

with mute_migrate_signals() as (pre, post):
    observed["removed"] = names(pre), names(post)
    observed["nothing is sent"] = pre_migrate.send("a sender"), post_migrate.send("a sender")

migrator.reset()
observed["reset"] = listen()

report(**observed)
