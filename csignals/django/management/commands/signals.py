"""``manage.py signals``: list the receivers of each signal in the project, or time them during another command.

With ``--deferred``, list the deferred receivers and their failed tasks. _project.py finds and filters the signals, and
_deferred.py finds the tasks; this module has the options and the output.
"""

from __future__ import annotations

import json
import sys
from argparse import REMAINDER, ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand, CommandError

import csignals
from csignals.deferred.task_info import one_line
from csignals.django import _deferred, _project
from csignals.django._deferred import DeferredInfo, Found
from csignals.django._project import SignalInfo
from csignals.listing import ReceiverInfo, describe_uid

MOST_TASKS = 10  # of one receiver that are printed


class Command(BaseCommand):
    help = "Lists all signals of the project, with their receivers in the order in which a send calls them."
    requires_system_checks: list[str] = []  # noqa: RUF012  # Django's

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--signal",
            action="append",
            default=[],
            metavar="NAME",
            dest="signals",
            help="Only this signal, such as post_save or django.db.models.signals.post_save. Repeatable.",
        )
        parser.add_argument(
            "--sender",
            action="append",
            default=[],
            metavar="NAME",
            dest="senders",
            help="Only receivers connected for this sender, such as shop.Order or shop.models.Order. Repeatable.",
        )
        parser.add_argument(
            "--app",
            action="append",
            default=[],
            metavar="LABEL",
            dest="apps",
            help="Only receivers defined in this app. Repeatable.",
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print everything as JSON.")
        parser.add_argument(
            "--deferred",
            action="store_true",
            help="List the deferred receivers, with their task backend and options, and the tasks that failed or wait.",
        )
        parser.add_argument(
            "--retry",
            nargs="?",
            const="",
            metavar="RECEIVER",
            help="With --deferred: run the failed tasks again, of this receiver (module:name) or of all.",
        )
        parser.add_argument(
            "--time",
            nargs=REMAINDER,
            metavar="COMMAND",
            dest="timed",
            help="Run another command with its arguments, and print the time that each receiver took.",
        )

    def handle(self, *args: Any, timed: list[str] | None = None, **options: Any) -> None:
        deferred, retry = options["deferred"], options["retry"]
        filters = {name: options[name] for name in ("signals", "senders", "apps")}
        if retry is not None and not deferred:
            raise CommandError("--retry needs --deferred")
        if deferred and (timed is not None or any(filters.values())):
            raise CommandError("--deferred cannot be combined with --signal, --sender, --app or --time")
        if deferred:
            self.handle_deferred(retry, options["as_json"])
        elif timed is None:
            self.list_signals(**filters, as_json=options["as_json"])
        elif not timed:
            raise CommandError("--time needs the name of a command, such as: --time migrate")
        elif any(filters.values()) or options["as_json"]:
            raise CommandError("--time cannot be combined with --signal, --sender, --app or --json")
        else:
            self.time_command(*timed)

    def time_command(self, name: str, *arguments: str) -> None:
        """Run a command as manage.py does, and print the summary of its signals, even if it fails."""
        program = sys.argv[0]
        command = ManagementUtility([program, name]).fetch_command(name)
        trace = csignals.trace(scope="process", max_records=1_000)
        try:
            with trace:
                command.run_from_argv([program, name, *arguments])
        finally:
            summary = trace.summary()
            self.stdout.write(self.style.MIGRATE_HEADING(f"\nReceivers that {name} called, slowest first"))
            self.stdout.write(str(summary) if summary.receivers else "None.")

    def list_signals(self, signals: list[str], senders: list[str], apps: list[str], as_json: bool) -> None:
        self.load_urls()
        try:
            found = _project.select(_project.collect(), signals, senders, apps)
        except LookupError as error:
            raise CommandError(str(error)) from None
        if as_json:
            self.stdout.write(json.dumps([info.as_data() for info in found], indent=2))
        else:
            self.print(found)

    def load_urls(self) -> None:
        try:
            _project.load_urls()
        except Exception as error:  # from code of the project
            self.stderr.write(f"The URLconf cannot be imported, so receivers that it connects are missing: {error!r}")

    def handle_deferred(self, retry: str | None, as_json: bool) -> None:
        """List the deferred receivers and their tasks, or run failed tasks again."""
        self.load_urls()
        found = _deferred.collect()
        if retry is None:
            if as_json:
                self.stdout.write(json.dumps([info.as_data() for info in found.receivers.values()], indent=2))
            else:
                self.print_deferred(found)
            return
        try:
            retried = _deferred.retry(found, retry)
        except LookupError as error:
            raise CommandError(str(error)) from None
        if as_json:
            counts = [{"receiver": name, "retried": count} for name, count in retried.items()]
            self.stdout.write(json.dumps(counts, indent=2))
            return
        for name, count in retried.items():
            self.stdout.write(f"{title(name)}: {plural(count, 'failed task')} will run again")
        self.stdout.write(f"{plural(retried.total(), 'failed task')} will run again")

    def print_deferred(self, found: Found) -> None:
        for info in found.receivers.values():
            self.stdout.write(self.style.MIGRATE_LABEL(title(info.name)))
            for line in lines_of(info):
                self.stdout.write(f"    {line}")
        receivers = found.receivers.values()
        declared, failed = sum(info.is_declared for info in receivers), sum(len(info.failed) for info in receivers)
        self.stdout.write(f"\n{plural(declared, 'deferred receiver')}, {plural(failed, 'failed task')}")

    def print(self, found: list[SignalInfo]) -> None:
        for info in found:
            name = self.style.MIGRATE_LABEL(info.name or f"{info.kind}, without a name")
            self.stdout.write(name if info.receivers else f"{name}: no receivers")
            for line in aligned([columns(receiver) for receiver in info.receivers]):
                self.stdout.write(f"    {line}")
        count = sum(not receiver.is_collected for info in found for receiver in info.receivers)
        self.stdout.write(f"\n{plural(len(found), 'signal')}, {plural(count, 'receiver')}")


def columns(receiver: ReceiverInfo) -> list[str]:
    return [
        receiver.receiver,
        f"{relative(receiver.file)}:{receiver.line}" if receiver.file else "-",
        "any sender" if receiver.sender is None else receiver.sender,
        "weak" if receiver.is_weak else "strong",
        ("async" if receiver.is_async else "sync") + (f", {receiver.runs}" if receiver.runs else ""),
        "" if receiver.dispatch_uid is None else f"uid {describe_uid(receiver.dispatch_uid)}",
        "collected, never called" if receiver.is_collected else "",
    ]


def title(name: str | None) -> str:
    return "tasks with a malformed message" if name is None else one_line(name)


def lines_of(info: DeferredInfo) -> Iterator[str]:
    """Return what is printed of a deferred receiver: its backend and options, and its tasks, each in a line."""
    options = [f"{name}={value}" for name, value in info.options.items()]
    backend = [info.backend or "no task backend"]
    yield "  ".join(backend + options if info.is_declared else [*backend, "not declared in this process"])
    if info.unknown is not None:
        yield f"tasks: unknown ({info.unknown})"
        return
    counts = {"failed": len(info.failed), "waiting": info.waiting, "running": len(info.running)}
    known = [
        f"{count} {status}" if status in info.statuses else f"{status} unknown" for status, count in counts.items()
    ]
    yield f"tasks: {', '.join(known)}"
    for tasks in info.failed, info.running:
        for task in tasks[-MOST_TASKS:]:
            since = "" if task.since is None else f"{task.since:%Y-%m-%d %H:%M:%S}"
            yield one_line("  ".join(filter(None, [task.status, since, task.queue, task.error])))
        if len(tasks) > MOST_TASKS:
            yield f"and {len(tasks) - MOST_TASKS} more that are {tasks[0].status}, shown by --json"


def aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def relative(file: str) -> Path:
    """Return a path relative to the current directory, if the file is in there."""
    path, here = Path(file), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
