"""Builds the compiled engine, or a truly pure package without it. Everything else is in pyproject.toml.

By default the extension is tried, and left out with a warning where it cannot be built (no C compiler).
CSIGNALS_NO_EXTENSIONS=1 leaves it out, CSIGNALS_REQUIRE_EXTENSIONS=1 lets the failure be one.
"""

import os
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NO_EXTENSIONS = os.environ.get("CSIGNALS_NO_EXTENSIONS") == "1"
REQUIRE_EXTENSIONS = os.environ.get("CSIGNALS_REQUIRE_EXTENSIONS") == "1"
if NO_EXTENSIONS and REQUIRE_EXTENSIONS:
    sys.exit("CSIGNALS_NO_EXTENSIONS=1 and CSIGNALS_REQUIRE_EXTENSIONS=1 contradict each other: set one of them.")


class BuildError(Exception):
    pass


class BuildExt(build_ext):
    def run(self):
        try:
            super().run()
        except Exception as error:      # of the compiler's, or of finding one
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
        super().build_extension(extension)


def extensions():
    from Cython.Build import cythonize

    try:
        return cythonize(
            [Extension("csignals._dispatch_c", ["src_pyx/_dispatch_c.pyx"])],
            build_dir="build/cython",
            include_path=["src_pyx"],
        )
    except Exception as error:
        raise BuildError from error


def build(with_extensions):
    setup(ext_modules=extensions() if with_extensions else [], cmdclass={"build_ext": BuildExt})


try:
    # PyPy runs the Python engine faster than it runs C extensions.
    build(with_extensions=not NO_EXTENSIONS and (REQUIRE_EXTENSIONS or sys.implementation.name == "cpython"))
except BuildError as failure:
    if REQUIRE_EXTENSIONS:
        raise
    print(f"csignals: the compiled engine cannot be built: {failure.__cause__!r}", file=sys.stderr)
    print("csignals: going on with the Python engine alone", file=sys.stderr)
    build(with_extensions=False)
