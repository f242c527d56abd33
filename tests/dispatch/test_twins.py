"""The compiled code and its specification define the same names in the same order. These tests read the sources.

A twin is a function, class or method of ``src_pyx`` that makes one of the specification fast. Its first lines say which
one: "Makes `pure.add_entry` fast". Both have the same name. Only the methods that CPython calls with an array of
arguments have ``fast_`` before their name.
"""

import ast
import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISPATCH, COMPILED = ROOT / "csignals" / "_dispatch", ROOT / "src_pyx" / "compiled.pyx"
MODULES = "pure", "common", "pure_records"

pytestmark = pytest.mark.skipif(not COMPILED.exists(), reason="an installed package has no src_pyx")


@pytest.fixture(scope="module")
def specification():
    return {module: names_in_python(DISPATCH / f"{module}.py") for module in MODULES}


def names_in_python(path):
    """Return the names of a module's functions, classes and methods, in the order of their definition."""
    names = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.append(node.name)
        if isinstance(node, ast.ClassDef):
            names += [f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)]
    return names


@pytest.fixture(scope="module")
def compiled():
    return definitions_in_cython(COMPILED)


def definitions_in_cython(path):
    """Return pairs of each function, class and method: its name, and its lines up to the next definition."""
    found, inside = [], None
    for line in lines_of_cython(path):
        is_class = re.match(r"cdef class (\w+)", line)
        is_function = re.match(r"( {4})?(?:cdef|cpdef|def) (?:[^=(]*[ *])?(\w+)\(", line)
        if is_class:
            inside = is_class[1]
            found.append((inside, []))
        elif is_function and not is_function[1]:
            inside = None
            found.append((is_function[2], []))
        elif is_function and inside:
            found.append((f"{inside}.{is_function[2]}", []))
        if found:
            found[-1][1].append(line)
    return [(name, "\n".join(lines)) for name, lines in found]


def lines_of_cython(path):
    """Return the lines of a Cython source, with the files that it includes in their places."""
    for line in path.read_text().splitlines():
        included = re.match(r'include "(.+)"', line)
        if included:
            yield from lines_of_cython(path.parent / included[1])
        else:
            yield line


def specified(name):
    """Return the name that the specification has for a definition of the compiled code."""
    return name.removeprefix("fast_").replace("__cinit__", "__init__")


@pytest.mark.parametrize("module", MODULES)
def test_twins_follow_the_specifications_order(specification, compiled, module):
    order = specification[module]
    twins = [specified(name) for name, _ in compiled if specified(name) in order]
    assert twins
    assert twins == sorted(twins, key=order.index)


def test_only_twins_name_their_specification(specification, compiled):
    expected = [
        (name, [f"{module}.{specified(name)}" for module in MODULES if specified(name) in specification[module]])
        for name, _ in compiled
        if "__" not in name  # for __init__ and the like, the class says it
    ]
    named = [(name, re.findall(r"Makes `([\w.]+)` fast", text)) for name, text in compiled if "__" not in name]
    assert named == expected


def test_only_fastcall_methods_have_the_prefix(compiled):
    defined = re.findall(r"^define\(&\w+, <void \*>(\w+), pure\.(\w+),", COMPILED.read_text(), re.MULTILINE)
    assert {function for function, _ in defined} == {name for name, _ in compiled if name.startswith("fast_")}
    assert [f"fast_{name}" for _, name in defined] == [function for function, _ in defined]


def test_exported_names_all_have_twins(specification, compiled):
    tree = ast.parse((DISPATCH / "__init__.py").read_text())
    imports = {node.module: node.names for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    exported = {alias.name for alias in imports["csignals._dispatch.compiled"]}
    assert exported <= {specified(name) for name, _ in compiled} & {*chain.from_iterable(specification.values())}
