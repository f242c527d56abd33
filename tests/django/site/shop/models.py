from django.db import models
from django.dispatch import Signal


class Item(models.Model):
    cancelled = Signal()


class Order(models.Model):
    items = models.ManyToManyField(Item)
