from django.contrib import admin
from everything.models import Order, Passing


@admin.action
def count_up(modeladmin, request, queryset):
    for each in queryset:
        each.number += 1
        each.save()


@admin.register(Order, Passing)
class NumberAdmin(admin.ModelAdmin):
    actions = [count_up]  # noqa: RUF012
