"""Saves rows of historical models: of one that there still is, and of one that the next migration deletes."""

from django.db import migrations


def save_rows(apps, schema_editor):
    using = schema_editor.connection.alias
    order, tag, gone = (apps.get_model("everything", name) for name in ("Order", "Tag", "Gone"))
    saved = order.objects.using(using).create(number=1)
    saved.tags.add(tag.objects.using(using).create(name="of a migration"))
    row = gone.objects.using(using).create(number=1)
    row.number = 2
    row.save(using=using)
    row.delete(using=using)
    gone.objects.using(using).create(number=3)


class Migration(migrations.Migration):
    dependencies = [("everything", "0001_initial")]  # noqa: RUF012
    operations = [migrations.RunPython(save_rows, migrations.RunPython.noop)]  # noqa: RUF012
