"""Builds the compiled engine, or a truly pure package without it. Everything else is in pyproject.toml.

By default the extension is tried, and left out with a warning where it cannot be built (no C compiler, no Cython).
CSIGNALS_NO_EXTENSIONS=1 leaves it out, CSIGNALS_REQUIRE_EXTENSIONS=1 lets the failure be one.

With SOURCE_DATE_EPOCH (seconds since 1970, what all files are dated), the same sources and tools give the same bytes of
a wheel or a source distribution, wherever and whenever they are built.
"""

import gzip
import os
import re
import sys
import tarfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

NO_EXTENSIONS = os.environ.get("CSIGNALS_NO_EXTENSIONS") == "1"
REQUIRE_EXTENSIONS = os.environ.get("CSIGNALS_REQUIRE_EXTENSIONS") == "1"
if NO_EXTENSIONS and REQUIRE_EXTENSIONS:
    sys.exit("CSIGNALS_NO_EXTENSIONS=1 and CSIGNALS_REQUIRE_EXTENSIONS=1 contradict each other: set one of them.")

CYTHON = 3, 3, 1  # the oldest that will do, as in pyproject.toml, which a build without isolation does not ask


class BuildError(Exception):
    pass


class BuildExt(build_ext):
    def run(self):
        try:
            super().run()
        except Exception as error:  # of the compiler's, or of finding one
            raise BuildError from error
        # In a checkout, `python -m csignals` and `python -m pytest` import this folder's package, not the
        # installed one: so it gets the engine as well.
        if not self.inplace:
            self.copy_extensions_to_source()

    def build_extension(self, extension):
        # Left to themselves, compilers do not inline all that Cython asks them to: a send takes a seventh more.
        is_msvc = self.compiler.compiler_type == "msvc"
        inline = "__forceinline" if is_msvc else "__inline__ __attribute__((always_inline))"
        extension.define_macros.append(("CYTHON_INLINE", inline))
        if not is_msvc:
            # Else debug information says in which folder this was built.
            extension.extra_compile_args.append(f"-fdebug-prefix-map={os.getcwd()}=.")
        super().build_extension(extension)


def plain_mode(mode):
    """Return the mode that git keeps of a file. The rest of it is the umask of whoever checked it out."""
    return 0o755 if mode & 0o100 else 0o644


class BDistWheel(bdist_wheel):
    def write_wheelfile(self, *args, **kwargs):
        super().write_wheelfile(*args, **kwargs)
        # That was the last file of the wheel, which is packed next, with the files' modes.
        for path in Path(self.bdist_dir).rglob("*"):
            if path.is_file():
                path.chmod(plain_mode(path.stat().st_mode))


class SDist(sdist):
    def make_archive(self, base_name, kind, *, base_dir, **options):
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or kind != "gztar":
            return super().make_archive(base_name, kind, base_dir=base_dir, **options)

        def plain(member):
            member.mtime = int(epoch)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() else plain_mode(member.mode)
            return member

        path = f"{base_name}.tar.gz"
        with (
            open(path, "wb") as file,
            gzip.GzipFile("", "wb", mtime=int(epoch), fileobj=file) as compressed,
            tarfile.open(path, "w", fileobj=compressed) as archive,
        ):
            archive.add(base_dir, filter=plain)
        return path


def extensions():
    try:
        import Cython
        from Cython.Build import cythonize

        if tuple(map(int, re.findall(r"\d+", Cython.__version__)[:3])) < CYTHON:
            raise ImportError(f"Cython {Cython.__version__} is too old, {'.'.join(map(str, CYTHON))} is needed")
        return cythonize(
            [
                Extension(
                    "csignals._dispatch.compiled",
                    ["src_pyx/compiled.pyx"],
                    include_dirs=["src_pyx"],
                    depends=["src_pyx/_capi.h"],
                )
            ],
            build_dir="build/cython",
            include_path=["src_pyx"],
        )
    except Exception as error:
        raise BuildError from error


def build(with_extensions):
    setup(
        ext_modules=extensions() if with_extensions else [],
        cmdclass={"build_ext": BuildExt, "bdist_wheel": BDistWheel, "sdist": SDist},
    )


try:
    # PyPy runs the Python engine faster than it runs C extensions.
    build(with_extensions=not NO_EXTENSIONS and (REQUIRE_EXTENSIONS or sys.implementation.name == "cpython"))
except BuildError as failure:
    if REQUIRE_EXTENSIONS:
        raise
    print(f"csignals: the compiled engine cannot be built: {failure.__cause__!r}", file=sys.stderr)
    print("csignals: going on with the Python engine alone", file=sys.stderr)
    build(with_extensions=False)
