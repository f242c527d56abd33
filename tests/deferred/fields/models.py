"""A model with a field of every type, its relatives, and a model for each type of primary key."""

import datetime
import decimal
import uuid

import django
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy


class Color(models.TextChoices):
    RED = "r", gettext_lazy("Red")
    BLUE = "b", gettext_lazy("Blue")


class Size(models.IntegerChoices):
    SMALL = 1
    LARGE = 2


class Parent(models.Model):
    name = models.CharField(max_length=20, default="parent")

    def __str__(self):
        return self.name


class EveryField(models.Model):
    """Has the types that are no primary keys. The others are in `KEYS`."""

    big_integer = models.BigIntegerField(null=True)
    binary = models.BinaryField(null=True)
    boolean = models.BooleanField(null=True)
    char = models.CharField(max_length=100, null=True)
    color = models.CharField(max_length=1, choices=Color.choices, default=Color.RED)
    date = models.DateField(null=True)
    date_time = models.DateTimeField(null=True)
    decimal = models.DecimalField(max_digits=12, decimal_places=3, null=True)
    duration = models.DurationField(null=True)
    email = models.EmailField(null=True)
    file = models.FileField(null=True)
    file_path = models.FilePathField(null=True)
    floating = models.FloatField(null=True)
    generic_ip_address = models.GenericIPAddressField(null=True)
    image = models.ImageField(null=True)
    integer = models.IntegerField(null=True)
    json = models.JSONField(null=True)
    foreign_key = models.ForeignKey(Parent, models.CASCADE, null=True, related_name="+")
    one_to_one = models.OneToOneField(Parent, models.CASCADE, null=True, related_name="+")
    positive_big_integer = models.PositiveBigIntegerField(null=True)
    positive_integer = models.PositiveIntegerField(null=True)
    positive_small_integer = models.PositiveSmallIntegerField(null=True)
    size = models.IntegerField(choices=Size.choices, default=Size.SMALL)
    slug = models.SlugField(null=True)
    small_integer = models.SmallIntegerField(null=True)
    text = models.TextField(null=True)
    time = models.TimeField(null=True)
    url = models.URLField(null=True)
    uuid = models.UUIDField(null=True)
    many = models.ManyToManyField(Parent, related_name="+")
    if django.VERSION >= (5, 0):
        generated = models.GeneratedField(
            expression=Upper("char"), output_field=models.CharField(max_length=100), db_persist=True
        )


class Proxy(EveryField):
    class Meta:
        proxy = True


class Child(EveryField):
    more = models.IntegerField(default=0)


class Ordered(models.Model):
    parent = models.ForeignKey(Parent, models.CASCADE)

    class Meta:
        order_with_respect_to = "parent"


def keyed(name, field):
    attributes = {"key": field, "number": models.IntegerField(default=0), "__module__": __name__, "__qualname__": name}
    return type(name, (models.Model,), attributes)


MOMENT = datetime.datetime(2026, 10, 25, 1, 30, 0, 5, tzinfo=datetime.timezone.utc)

#: Models by the type of their primary key, with values for it.
KEYS = {
    keyed("AutoKey", models.AutoField(primary_key=True)): [1],
    keyed("BigAutoKey", models.BigAutoField(primary_key=True)): [2**60],
    keyed("SmallAutoKey", models.SmallAutoField(primary_key=True)): [3],
    keyed("BooleanKey", models.BooleanField(primary_key=True)): [True],
    keyed("CharKey", models.CharField(max_length=50, primary_key=True)): ["a", "", "ä'\"\\ $", gettext_lazy("Red")],
    keyed("ColorKey", models.CharField(max_length=1, choices=Color.choices, primary_key=True)): [Color.RED, "b"],
    keyed("SizeKey", models.IntegerField(choices=Size.choices, primary_key=True)): [Size.LARGE, 1],
    keyed("DateKey", models.DateField(primary_key=True)): [MOMENT.date(), "2026-01-01"],
    keyed("DateTimeKey", models.DateTimeField(primary_key=True)): [MOMENT],
    keyed("DecimalKey", models.DecimalField(max_digits=8, decimal_places=2, primary_key=True)): [
        decimal.Decimal("1.50"),
        decimal.Decimal(-3),
    ],
    keyed("DurationKey", models.DurationField(primary_key=True)): [datetime.timedelta(days=-1, microseconds=3)],
    keyed("EmailKey", models.EmailField(primary_key=True)): ["a@example.com"],
    keyed("FilePathKey", models.FilePathField(primary_key=True)): ["/a/b"],
    keyed("FloatKey", models.FloatField(primary_key=True)): [1.5, -0.1],
    keyed("IPKey", models.GenericIPAddressField(primary_key=True)): ["::1", "10.0.0.1"],
    keyed("JSONKey", models.JSONField(primary_key=True)): ["text", 5, 1.5, [1, [2]], {"a": [1]}, {"$": 1, "v": 2}],
    keyed("SlugKey", models.SlugField(primary_key=True)): ["a-b"],
    keyed("TimeKey", models.TimeField(primary_key=True)): [MOMENT.time()],
    keyed("UUIDKey", models.UUIDField(primary_key=True)): [uuid.UUID(int=5), str(uuid.UUID(int=6))],
    keyed("OneToOneKey", models.OneToOneField(Parent, models.CASCADE, primary_key=True)): [Parent(pk=1)],
    keyed("ForeignKeyKey", models.ForeignKey(Parent, models.CASCADE, primary_key=True)): [Parent(pk=2)],
    keyed("KeyOfKey", models.OneToOneField("fields.ForeignKeyKey", models.CASCADE, primary_key=True)): [],
}

if django.VERSION >= (5, 2):

    class Composite(models.Model):
        pk = models.CompositePrimaryKey("parent_id", "color", "code", "day")
        parent = models.ForeignKey(Parent, models.CASCADE)
        color = models.CharField(max_length=1, choices=Color.choices)
        code = models.UUIDField()
        day = models.DateField()


class LowercaseField(models.CharField):
    """Writes its text in lower case."""

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return None if value is None else value.lower()


class LowercaseKey(models.Model):
    text = LowercaseField(max_length=10, primary_key=True)
