"""Runs the messages of a file, and then those that this sent. Prints the tracebacks of those that failed."""

import json
import os
import traceback

import django

django.setup()

from everything.backends import Later  # noqa: E402

from csignals.deferred import run  # noqa: E402


def main():
    failed = {}

    def work_on(message):
        try:
            run(message)
        except Exception:
            failed.setdefault(message, traceback.format_exc())

    with open(f"{os.environ['FOLDER']}/messages") as file:
        for line in file:
            work_on(json.loads(line))
    for message in Later.messages:
        if "hear_connection_created" not in message:  # this process has connections of its own
            work_on(message)
    print(json.dumps(failed))


main()
