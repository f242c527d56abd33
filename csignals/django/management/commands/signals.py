"""``manage.py signals``: list the receivers of each signal in the project, or time them during another command.

_project.py finds and filters the signals; this module has the options and the output.
"""

from __future__ import annotations

import json
import sys
from argparse import REMAINDER, ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand, CommandError

import csignals
from csignals.django import _project
from csignals.django._project import SignalInfo
from csignals.listing import ReceiverInfo, describe_uid


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
            "--time",
            nargs=REMAINDER,
            metavar="COMMAND",
            dest="timed",
            help="Run another command with its arguments, and print the time that each receiver took.",
        )

    def handle(self, *args: Any, timed: list[str] | None = None, **options: Any) -> None:
        wanted = {name: options[name] for name in ("signals", "senders", "apps", "as_json")}
        if timed is None:
            self.list_signals(**wanted)
        elif not timed:
            raise CommandError("--time needs the name of a command, such as: --time migrate")
        elif any(wanted.values()):
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
        try:
            _project.load_urls()
        except Exception as error:  # from code of the project
            self.stderr.write(f"The URLconf cannot be imported, so receivers that it connects are missing: {error!r}")
        try:
            found = _project.select(_project.collect(), signals, senders, apps)
        except LookupError as error:
            raise CommandError(str(error)) from None
        if as_json:
            self.stdout.write(json.dumps([info.as_data() for info in found], indent=2))
        else:
            self.print(found)

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


def aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def relative(file: str) -> Path:
    """Return a path relative to the current directory, if the file is in there."""
    path, here = Path(file), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
