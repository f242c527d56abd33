import time

from django.core.management.base import BaseCommand, CommandError

from shop.signals import order_paid


def slow(**named):
    time.sleep(0.002)


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("count", type=int)
        parser.add_argument("--at", default="full")

    def handle(self, count, at, **options):
        if not count:
            raise CommandError("nothing to sell")
        order_paid.connect(slow)
        for number in range(count):
            order_paid.send("shop", order=number)
        self.stdout.write(f"sold {count} at {at}")
