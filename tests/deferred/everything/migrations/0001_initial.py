from django.db import migrations, models


def key():
    return "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True
    dependencies = []  # noqa: RUF012
    operations = [  # noqa: RUF012
        migrations.CreateModel("Tag", [key(), ("name", models.CharField(max_length=20))]),
        migrations.CreateModel(
            "Order",
            [
                key(),
                ("number", models.IntegerField(default=0)),
                ("tags", models.ManyToManyField(blank=True, to="everything.tag")),
            ],
        ),
        migrations.CreateModel("Passing", [key(), ("number", models.IntegerField(default=0))]),
        migrations.CreateModel("Gone", [key(), ("number", models.IntegerField(default=0))]),
    ]
