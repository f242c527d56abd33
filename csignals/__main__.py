"""The command line: ``python -m csignals`` prints versions, ``python -m csignals compare`` measures against Django.

The comparison itself is in compare/.
"""

import argparse
import platform
import sys

import csignals


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 if a signal differs, 2 if a package is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m csignals",
        description="Without a command: print the installed versions and the active implementation of csignals.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser(
        "compare",
        help="check that csignals dispatches Django's own signals like Django, and measure how much faster it is",
        description=(
            "Runs a small Django project with a database in memory, once on Django alone and once on csignals, and "
            "checks that each built-in signal calls its receivers with the same arguments. Then measures both in turn: "
            "sends, and loading model rows. Takes less than a minute."
        ),
    )
    return compare() if parser.parse_args(arguments).command == "compare" else print_versions()


def print_versions() -> int:
    """Print the versions of csignals, Python and Django, and the active implementation. Configures nothing."""
    try:
        import django
    except ModuleNotFoundError:
        django_version = "not installed"
    else:
        django_version = django.get_version()
    print("csignals       ", csignals.__version__)
    print("implementation ", csignals.IMPLEMENTATION)
    print("Python         ", platform.python_version())
    print("Django         ", django_version)
    return 0


def compare() -> int:
    """Run the comparison and return its exit code. If a package is missing, name it on stderr and return 2."""
    try:
        import django  # noqa: F401  # pyright: ignore[reportUnusedImport]  # only to see whether it is installed
        import rich  # noqa: F401  # pyright: ignore[reportUnusedImport]  # likewise
    except ModuleNotFoundError as error:
        if error.name not in ("django", "rich"):
            raise
        print('csignals: compare needs Django and rich: pip install "csignals[cli,django]"', file=sys.stderr)
        return 2

    from csignals.compare import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
