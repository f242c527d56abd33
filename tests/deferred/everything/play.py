"""Takes the steps of a play, and prints the tracebacks of those that failed."""

import json
import os
import sys
import traceback

import django

django.setup()

from everything import steps  # noqa: E402


def main(play):
    failed = {}
    if play == "tests":
        from django.test.utils import setup_test_environment

        setup_test_environment()
    if os.environ.get("BACKEND") == "immediate":
        from django.tasks import signals

        @signals.task_finished.connect
        def note_failure(sender, task_result, **named):
            if task_result.errors:
                failed.setdefault("a task", task_result.errors[0].traceback)

    for step in steps.PLAYS[play]:
        try:
            step()
        except Exception:
            failed[step.__name__] = traceback.format_exc()
    print(json.dumps(failed))


main(sys.argv[1])
