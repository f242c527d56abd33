from django.db import models


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Order(models.Model):
    number = models.IntegerField(default=0)
    tags = models.ManyToManyField(Tag, blank=True)


class Passing(models.Model):
    """Its rows are deleted, unlike those of the others."""

    number = models.IntegerField(default=0)
