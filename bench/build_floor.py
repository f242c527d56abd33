"""Compile a C module of this folder for the running Python, in a temporary folder, and import it."""

import importlib.util
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Distribution, Extension

FOLDER = Path(__file__).parent


def load(name="floor"):
    """Return a module of this folder, compiled with the flags of the running Python for extensions."""
    folder = tempfile.mkdtemp(prefix=f"csignals-{name}-")
    distribution = Distribution({"ext_modules": [Extension(name, [str(FOLDER / f"{name}.c")])], "script_args": ["-q"]})
    command = distribution.get_command_obj("build_ext")
    command.build_lib = command.build_temp = folder
    command.ensure_finalized()
    command.run()
    spec = importlib.util.spec_from_file_location(name, f"{folder}/{name}{sysconfig.get_config_var('EXT_SUFFIX')}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
