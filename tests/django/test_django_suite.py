"""Django's own tests, unmodified, from each release: csignals does not change their results.

Not run by default: ``python -m pytest -m django_suite``. The source distributions are downloaded once, by pip,
into the user's cache directory.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from tests.helpers.implementations import environment, load

pytestmark = pytest.mark.django_suite

# Each release, with the oldest and the newest Python that it supports.
RELEASES = {
    "4.2.30": ((3, 8), (3, 12)),
    "5.2.19": ((3, 10), (3, 14)),
    "6.0.10": ((3, 12), (3, 14)),
    "6.1.3": ((3, 12), (3, 15)),
}
SUPPORTED = [name for name, (oldest, newest) in RELEASES.items() if oldest <= sys.version_info[:2] <= newest]

DISPATCH_AND_SIGNALS = "dispatch", "signals"
WHOLE = (
    *DISPATCH_AND_SIGNALS,
    "m2m_signals",
    "migrate_signals",
    "delete",
    "delete_regress",
    "proxy_models",
    "update_only_fields",
    "contenttypes_tests",
    "sites_tests",
    "handlers",
    "asgi",
    "wsgi",
    "settings_tests",
    "transaction_hooks",
    "defer_regress",
    "generic_relations_regress",
    "multiple_database",
    "test_client",
    "test_client_regress",
    "messages_tests",
    "file_storage",
    "backends",
    "builtin_server",
    "test_utils",
    "many_to_many",
    "httpwrappers",
    "async",
    "deprecation",
    "fixtures_regress",
    "servers",
    "model_fields.test_imagefield",
    "auth_tests.test_signals",
    "auth_tests.test_models",
    "auth_tests.test_auth_backends",
    "invalid_models_tests.test_models",
    "admin_utils.test_logentry",
    "postgres_tests.test_apps",
)

SETTINGS = """
from test_sqlite import *
"""
BEHIND_SENTRY = """
import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport
class Silent(Transport):
    def capture_envelope(self, envelope):
        pass
sentry_sdk.init(dsn="http://key@sentry.invalid/1", transport=Silent)
assert sentry_sdk.get_client().get_integration(DjangoIntegration).signals_spans
"""
INSTALLED = """
import atexit
import csignals.django
csignals.django.install()
@atexit.register
def report():
    status = csignals.django.status()
    print("csignals:", status.implementation, status.django, *sorted(set(status.owners.values())))
"""
TRACED = """
import csignals
trace = csignals.trace(scope="process")
trace.__enter__()
@atexit.register
def report_trace():
    print("traced:", len(trace.records))
"""


@pytest.fixture(scope="module")
def source():
    """Return a function that returns the directory of a release's source distribution."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "csignals"
    cache.mkdir(parents=True, exist_ok=True)

    def get(release):
        directory = cache / f"django-{release}"
        if not directory.exists():
            with tempfile.TemporaryDirectory(dir=cache) as download:
                pip = sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"
                subprocess.run([*pip, "--no-binary=:all:", "-d", download, f"Django=={release}"], check=True)
                with tarfile.open(next(Path(download).glob("*.tar.gz"))) as archive:
                    archive.extractall(download, filter="data")
                # One atomic step: another process never sees half of the directory.
                (Path(download) / directory.name).rename(directory)
        return directory

    return get


@pytest.fixture(scope="module")
def outcome(source, tmp_path_factory):
    """Return a function that runs tests of a release and returns their `Outcome`."""
    known = {}

    def run(release, labels, implementation=None, is_traced=False, before=""):
        settings = tmp_path_factory.mktemp("settings")
        parts = before, SETTINGS, INSTALLED * bool(implementation), TRACED * is_traced
        is_behind_sentry = before.startswith(BEHIND_SENTRY)
        (settings / "suite_settings.py").write_text("".join(parts))
        path = source(release), settings, Path(load("python").__file__).parent.parent
        done = subprocess.run(
            [sys.executable, "runtests.py", "--parallel=1", "--settings=suite_settings", *labels],
            cwd=source(release) / "tests",
            env={**environment(implementation or "python"), "PYTHONPATH": os.pathsep.join(map(str, path))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        report = re.search(r"^csignals: .*", done.stdout, re.MULTILINE)
        if implementation:
            owners = f"csignals{' sentry_sdk.integrations.django.signals_handlers' * is_behind_sentry}"
            assert report and report[0] == f"csignals: {implementation} {release} {owners}", done.stdout[-3000:]
        else:
            assert not report
        traced = re.search(r"^traced: (\d+)$", done.stdout, re.MULTILINE)
        assert bool(traced and int(traced[1])) == is_traced
        return Outcome(done.stdout)

    def remember(*arguments):
        if arguments not in known:
            known[arguments] = run(*arguments)
        return known[arguments]

    return remember


class Outcome:
    """The counts of a run, and the names of the tests that failed."""

    def __init__(self, output):
        self.output = output
        ran = re.search(r"^Ran (\d+) tests? in .*\n\n(OK|FAILED)(.*)$", output, re.MULTILINE)
        assert ran, output[-3000:]
        self.tests = int(ran[1])
        self.counts = dict(re.findall(r"(\w[a-z ]+)=(\d+)", ran[3]))
        self.failed = sorted(re.findall(r"^(?:FAIL|ERROR): .*$", output, re.MULTILINE))

    def __eq__(self, other):
        return (self.tests, self.counts, self.failed) == (other.tests, other.counts, other.failed)

    def __repr__(self):
        return f"{self.tests} tests, {self.counts or 'all passed'} {' '.join(self.failed)}"


@pytest.mark.parametrize("release", SUPPORTED)
@pytest.mark.parametrize(
    ("labels", "least"),
    [pytest.param(DISPATCH_AND_SIGNALS, 30, id="dispatch and signals"), pytest.param(WHOLE, 1900, id="whole set")],
)
def test_csignals_keeps_the_suite_results(outcome, implementation, release, labels, least):
    stock, ours = outcome(release, labels), outcome(release, labels, implementation)
    print(f"Django {release}: without csignals {stock}; with it {ours}")
    assert stock.tests > least
    assert ours == stock, ours.output[-5000:]
    assert not stock.failed, "tests fail without csignals"


@pytest.mark.parametrize("release", SUPPORTED)
def test_results_are_equal_under_a_trace(outcome, implementation, release):
    stock, traced = outcome(release, WHOLE), outcome(release, WHOLE, implementation, True)
    print(f"Django {release}: without csignals {stock}; traced {traced}")
    assert traced == stock, traced.output[-5000:]


@pytest.mark.parametrize("release", SUPPORTED)
def test_csignals_fails_fewer_tests_behind_sentry(outcome, implementation, release):
    stock, ours = (
        outcome(release, WHOLE, None, False, BEHIND_SENTRY),
        outcome(release, WHOLE, implementation, False, BEHIND_SENTRY),
    )
    print(f"Django {release}, behind Sentry: without csignals {stock}; with it {ours}")
    assert (ours.tests, ours.counts["skipped"]) == (stock.tests, stock.counts["skipped"])
    assert set(ours.failed) < set(stock.failed), ours.output[-5000:]
    # Sentry alone fails the tests that compare the receivers in a response: a wrapper replaces each receiver.
    more = {each for each in stock.failed if each not in ours.failed}
    assert all("(dispatch.tests." in each or "(signals.tests.AsyncReceiversTests." in each for each in more), more


@pytest.mark.parametrize("release", SUPPORTED)
def test_the_sentry_wrapper_keeps_its_results(outcome, implementation, release):
    stock, ours = (
        outcome(release, WHOLE, None, False, BEHIND_SENTRY),
        outcome(release, WHOLE, implementation, False, BEHIND_SENTRY + 'CSIGNALS = {"SENTRY_WRAPPER": True}\n'),
    )
    print(f"Django {release}, by Sentry's wrapper: without csignals {stock}; with it {ours}")
    assert ours == stock, ours.output[-5000:]
