"""The models that the comparison saves, deletes, relates and loads."""

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50)


class Book(models.Model):
    title = models.CharField(max_length=50)
    authors = models.ManyToManyField(Author, related_name="books")


class Row(models.Model):
    """One of many, to be loaded at once."""

    name = models.CharField(max_length=50)
    number = models.IntegerField()
    active = models.BooleanField()
