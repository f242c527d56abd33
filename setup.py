"""Build the package with the compiled extension, or as a pure Python package. All metadata is in pyproject.toml.

By default, the extension is built if possible: without a C compiler or Cython, a warning is printed and it is left out.
CSIGNALS_NO_EXTENSIONS=1 leaves it out. With CSIGNALS_REQUIRE_EXTENSIONS=1, the build fails if it cannot be built.

With SOURCE_DATE_EPOCH (seconds since 1970, the date of all files), the same sources and tools give the same wheel and
source distribution, byte by byte.
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

CYTHON = 3, 3, 1  # the oldest version that works, as in pyproject.toml, which a build without isolation does not read


class BuildError(Exception):
    """The extension cannot be built."""


class BuildExt(build_ext):
    def run(self):
        try:
            super().run()
        except Exception as error:  # the compiler failed, or there is none
            raise BuildError from error
        # In a checkout, `python -m csignals` and `python -m pytest` import the package of this folder instead of the
        # installed one, so it gets the extension too.
        if not self.inplace:
            self.copy_extensions_to_source()

    def build_extension(self, extension):
        # By default, compilers do not inline all functions that Cython marks, and a send takes a seventh longer.
        is_msvc = self.compiler.compiler_type == "msvc"
        inline = "__forceinline" if is_msvc else "__inline__ __attribute__((always_inline))"
        extension.define_macros.append(("CYTHON_INLINE", inline))
        if not is_msvc:
            # Otherwise debug information contains the folder of the build.
            extension.extra_compile_args.append(f"-fdebug-prefix-map={os.getcwd()}=.")
        super().build_extension(extension)


def plain_mode(mode):
    """Return the part of a file's mode that git stores. The rest comes from the umask at the checkout."""
    return 0o755 if mode & 0o100 else 0o644


class BDistWheel(bdist_wheel):
    def write_wheelfile(self, *args, **kwargs):
        super().write_wheelfile(*args, **kwargs)
        # This was the last file of the wheel. The files are packed next, with their modes.
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
            raise ImportError(f"Cython {Cython.__version__} is too old: install {'.'.join(map(str, CYTHON))} or newer")
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
    # PyPy runs the Python implementation faster than C extensions.
    build(with_extensions=not NO_EXTENSIONS and (REQUIRE_EXTENSIONS or sys.implementation.name == "cpython"))
except BuildError as failure:
    if REQUIRE_EXTENSIONS:
        raise
    print(f"csignals: the extension cannot be built: {failure.__cause__!r}", file=sys.stderr)
    print("csignals: building with the Python implementation only", file=sys.stderr)
    build(with_extensions=False)
