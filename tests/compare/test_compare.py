"""`python -m csignals compare`: the comparison with Django's signals, its measurements and its errors."""

import os
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.exhaustive

CHECKOUT = Path(__file__).parents[2]

SIGNALS = {
    "user_logged_in",
    "user_logged_out",
    "user_login_failed",
    "pre_init",
    "post_init",
    "pre_save",
    "post_save",
    "pre_delete",
    "post_delete",
    "m2m_changed",
    "class_prepared",
    "pre_migrate",
    "post_migrate",
    "request_started",
    "request_finished",
    "got_request_exception",
    "setting_changed",
    "template_rendered",
    "connection_created",
}

RUN = """
import runpy, sys
sys.argv[1:] = ["compare"]
runpy.run_module("csignals", run_name="__main__")
"""


VARIABLES = {"FORCE_COLOR": "", "NO_COLOR": "1", "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}


def run(implementation, *arguments):
    return run_python(
        "-X",
        "dev",
        "-W",
        "error",
        *arguments,
        implementation=implementation,
        variables=VARIABLES,
        timeout=120,
        cwd=CHECKOUT,
        encoding="utf-8",
    )


def run_compare_after(implementation, code):
    """Run `code` and then the command, in one process."""
    return run(implementation, "-c", textwrap.dedent(code) + RUN)


def rows(output):
    """Return the cells of all rows of all tables."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if line[:1] == "│"]


def verdicts(output):
    """Return the verdict on each signal from the table of signals."""
    return {row[1]: row[3] for row in rows(output) if len(row) == 4 and row[1] in SIGNALS}


@pytest.fixture(scope="module")
def comparison(implementation):
    start = time.monotonic()
    result = run(implementation, "-m", "csignals", "compare")
    result.seconds = time.monotonic() - start
    return result


def test_the_comparison_succeeds_within_a_minute(comparison):
    assert (comparison.returncode, comparison.stderr) == (0, "")
    assert comparison.seconds < 60


def test_the_output_names_the_versions(comparison, implementation):
    import django

    import csignals

    first, second, *_ = comparison.stdout.splitlines()
    python = ".".join(map(str, sys.version_info[:3]))
    assert first.startswith(f"csignals {csignals.__version__} ({implementation}), ")
    assert first.endswith(f" {python}, Django {django.get_version()}")
    assert ("pure Python" in second) == (implementation == "python")


def test_every_built_in_signal_is_the_same(comparison):
    assert verdicts(comparison.stdout) == dict.fromkeys(SIGNALS, "same")


def test_the_comparison_covers_all_django_signals(implementation):
    code = """
        from importlib import import_module
        from django.dispatch import Signal
        for module in "core", "db.models", "db.backends", "test", "contrib.auth":
            for name, value in vars(import_module(f"django.{module}.signals")).items():
                if issubclass(type(value), Signal):
                    print(name)
    """
    assert set(run(implementation, "-c", textwrap.dedent(code)).stdout.split()) == SIGNALS


def test_the_output_times_both_send_forms(comparison):
    assert "One send without keyword arguments, in nanoseconds" in comparison.stdout
    assert "One send with 4 keyword arguments, in nanoseconds" in comparison.stdout
    measured = [row for row in rows(comparison.stdout) if len(row) == 7 and row[0].isdecimal()]
    assert [row[0] for row in measured] == ["0", "1", "3", "10", "100"] * 2
    for row in measured:
        assert min(int(cell.replace(",", "")) for cell in row[1:5]) > 0
        assert all(ratio.endswith("x") for ratio in row[5:])
        assert all(float(ratio[:-1]) > 0 for ratio in row[5:])


def test_the_output_times_row_loading(comparison):
    _, found, table = comparison.stdout.partition("Loading 10,000 model rows, in milliseconds")
    assert found
    measured = [row for row in rows(table) if row[1]]
    assert len(measured) == 3
    for _, django, in_django, ratio in measured:
        assert min(float(django), float(in_django), float(ratio.removesuffix("x"))) > 0


def test_tables_fit_into_80_plain_columns(comparison):
    assert max(map(len, comparison.stdout.splitlines())) <= 80
    assert "\x1b" not in comparison.stdout + comparison.stderr
    assert "…" not in comparison.stdout


WRONG_SENDS = {
    "a keyword argument is dropped": ("named.pop('created', None)", {"post_save"}),
    "keyword arguments change places": (
        "named = dict(reversed(named.items()))",
        {"pre_init", "pre_save", "post_save", "pre_delete", "m2m_changed", "pre_migrate", "template_rendered"},
    ),
    "a value changes": ("named.update({'raw': 0} if 'raw' in named else {})", {"pre_save", "post_save"}),
    "the receivers are not called": ("if 'connection' in named: return []", {"connection_created"}),
    "the receivers are called twice": (
        "if 'template' in named: right_send(self, sender, **named)",
        {"template_rendered"},
    ),
}


@pytest.mark.parametrize("wrong", WRONG_SENDS)
def test_a_difference_fails_the_comparison(implementation, wrong):
    change, signals = WRONG_SENDS[wrong]
    result = run_compare_after(
        implementation,
        f"""
        from csignals import _dispatch
        from django.dispatch import Signal
        right_methods = _dispatch.methods

        def wrong_methods(*args):
            methods = right_methods(*args)
            right_send = methods["send"]

            def send(self, sender, **named):
                {change}
                return right_send(self, sender, **named)

            return {{**methods, "send": send}}

        _dispatch.methods = wrong_methods
        """,
    )
    assert result.returncode == 1
    found = verdicts(result.stdout)
    assert set(found) == SIGNALS
    different = {name for name, verdict in found.items() if verdict == "DIFFERENT"}
    assert different >= signals
    for name in different:
        assert f"{name}, first difference:\n  Django:   " in result.stdout
    assert "One send" not in result.stdout, "measured despite a difference"


def test_an_unsent_signal_fails_the_comparison(implementation):
    result = run_compare_after(
        implementation,
        """
        import django.contrib.auth.signals
        django.contrib.auth.signals.user_logged_in = django.dispatch.Signal()
        """,
    )
    assert (result.returncode, verdicts(result.stdout)["user_logged_in"]) == (1, "DIFFERENT")


def test_an_inactive_csignals_fails_the_comparison(implementation):
    result = run_compare_after(
        implementation,
        """
        import csignals.django
        csignals.django.install = lambda: None
        """,
    )
    assert result.returncode == 1
    assert "is not the method of csignals" in result.stderr


def test_no_command_prints_the_versions(implementation):
    import django

    import csignals

    result = run(implementation, "-m", "csignals")
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["csignals", csignals.__version__],
        ["implementation", implementation],
        ["Python", ".".join(map(str, sys.version_info[:3]))],
        ["Django", django.get_version()],
    ]


def test_versions_are_printed_without_django(implementation):
    code = "import sys, csignals.__main__ as cli; sys.modules['django'] = None; sys.exit(cli.main([]))"
    result = run(implementation, "-c", code)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1].split() == ["Django", "not", "installed"]


@pytest.mark.parametrize("missing", ["django", "rich"])
def test_a_missing_package_is_reported(implementation, missing):
    result = run_compare_after(implementation, f"import sys; sys.modules[{missing!r}] = None")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == 'csignals: compare needs Django and rich: pip install "csignals[cli,django]"\n'


def test_importing_the_command_imports_no_packages(implementation):
    code = "import sys, csignals.__main__; print(sorted({'django', 'rich', 'asgiref'} & set(sys.modules)))"
    assert run(implementation, "-c", code).stdout.split() == ["[]"]


def test_help_lists_the_command(implementation):
    result = run(implementation, "-m", "csignals", "--help")
    assert result.returncode == 0
    assert "compare" in result.stdout


@pytest.mark.parametrize("installed", [True, False])
def test_the_comparison_restores_the_installed_state(implementation, installed):
    result = run(
        implementation,
        "-c",
        textwrap.dedent(
            f"""
            import csignals.compare
            from csignals.compare import project
            from csignals.django import install, is_installed
            if {installed}:
                install()
            project.configure()
            project.configure = lambda: None
            from csignals.compare import loading, sends
            sends.measure = loading.measure = lambda advance: []
            assert csignals.compare.run() == 0
            assert is_installed() is {installed}
            """
        ),
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_terminal_shows_the_progress():
    import pty

    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "csignals", "compare"],
        cwd=CHECKOUT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        shown = b""
        with suppress(OSError):  # Linux raises it when the other end is closed
            while part := os.read(controller, 65536):
                shown += part
        os.close(controller)
    assert process.returncode == 0
    for phase in b"Proving", b"Timing sends", b"Timing the loading of rows":
        assert phase in shown
    assert b"100 %" in shown
