"""``python -m csignals``: what is installed here. ``python -m csignals compare``: what csignals is worth here."""

import argparse
import platform
import sys

import csignals


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 for a failed proof, 2 for something missing."""
    parser = argparse.ArgumentParser(
        prog="python -m csignals",
        description="Without a command: print the versions found, and which implementation of csignals is in use.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser(
        "compare",
        help="prove that Django's own signals arrive the same through csignals, and measure what that saves",
        description=(
            "Proves on a real Django, with a database in memory, that every built-in signal reaches receivers "
            "through csignals with the same arguments as through Django alone. Then measures both in turn: "
            "sends, and loading model rows. Takes less than a minute."
        ),
    )
    return compare() if parser.parse_args(arguments).command == "compare" else print_versions()


def print_versions() -> int:
    """Print the versions of csignals, Python and Django, and the implementation in use. Configures nothing."""
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
    """Run the comparison and return its exit code, or say in one line on stderr what it needs, and return 2."""
    try:
        import django  # noqa: F401  # to see whether it is there
        import rich  # noqa: F401  # likewise
    except ModuleNotFoundError as error:
        if error.name not in ("django", "rich"):
            raise
        print('csignals: compare needs Django and rich: pip install "csignals[cli,django]"', file=sys.stderr)
        return 2

    from csignals.compare import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
