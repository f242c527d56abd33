"""Compiles floor.c for the running Python, outside the sources, and imports it."""

import importlib.util
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Distribution, Extension

SOURCE = Path(__file__).with_name("floor.c")


def load():
    """Return the module `floor`, compiled with the flags that this Python compiles extensions with."""
    folder = tempfile.mkdtemp(prefix="csignals-floor-")
    distribution = Distribution({"ext_modules": [Extension("floor", [str(SOURCE)])], "script_args": ["-q"]})
    command = distribution.get_command_obj("build_ext")
    command.build_lib = command.build_temp = folder
    command.ensure_finalized()
    command.run()
    spec = importlib.util.spec_from_file_location("floor", f"{folder}/floor{sysconfig.get_config_var('EXT_SUFFIX')}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
