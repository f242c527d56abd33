"""Sends numbers: reads lines "signal first last", and prints the numbers whose send failed, with the errors."""

import json
import sys

import django

django.setup()

from store import celery, models  # noqa: E402, F401

for line in sys.stdin:
    failed = {}
    name, first, last = line.split()
    for number in range(int(first), int(last)):
        try:
            getattr(models, name).send(None, number=number)
        except Exception as error:
            failed[number] = [f"{type(each).__module__}.{type(each).__name__}" for each in (error, error.__cause__)]
    print(json.dumps(failed), flush=True)
