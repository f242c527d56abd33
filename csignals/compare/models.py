"""The models of the Django project on which the comparison runs."""

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50)


class Book(models.Model):
    title = models.CharField(max_length=50)
    authors = models.ManyToManyField(Author, related_name="books")


class Row(models.Model):
    """A row of the table that loading.py loads."""

    name = models.CharField(max_length=50)
    number = models.IntegerField()
    active = models.BooleanField()
