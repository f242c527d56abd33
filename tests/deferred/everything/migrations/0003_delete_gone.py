from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("everything", "0002_rows")]  # noqa: RUF012
    operations = [migrations.DeleteModel("Gone")]  # noqa: RUF012
