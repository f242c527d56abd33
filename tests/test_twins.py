"""The compiled code and its specification: the same names in the same order, by what their sources say.

A twin is a function, class or method of ``src_pyx`` that makes one of the specification fast. It says so in its first
lines, as "Makes `pure.add_entry` fast", and has the same name: with ``fast_`` before it where it is a method that
CPython calls with an array of arguments.
"""

import ast
import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DISPATCH, COMPILED = ROOT / "csignals" / "_dispatch", ROOT / "src_pyx" / "compiled.pyx"
MODULES = "pure", "common", "pure_records"
CLAIM = re.compile(r"[Mm]akes `([\w.]+)`(?: and `([\w.]+)`)? fast")

pytestmark = pytest.mark.skipif(not COMPILED.exists(), reason="an installed package has no src_pyx")


def names_in_python(path):
    """Return the names of a module's functions, classes and methods, in the order of their definition."""
    names = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.append(node.name)
        if isinstance(node, ast.ClassDef):
            names += [f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)]
    return names


def lines_of_cython(path):
    """Return the lines of a Cython source, with the files that it includes in their places."""
    for line in path.read_text().splitlines():
        included = re.match(r'include "(.+)"', line)
        if included:
            yield from lines_of_cython(path.parent / included[1])
        else:
            yield line


def definitions_in_cython(path):
    """Return pairs of each function, class and method: its name, and its lines up to the next definition."""
    found, inside = [], None
    for line in lines_of_cython(path):
        defined = re.match(r"(    )?(?:cdef|cpdef|def) (?:[^=(]*[ *])?(\w+)\(", line)
        is_class = re.match(r"cdef class (\w+)", line)
        if is_class:
            inside = is_class[1]
            found.append((inside, []))
        elif defined and not defined[1]:
            inside = None
            found.append((defined[2], []))
        elif defined and inside:
            found.append((f"{inside}.{defined[2]}", []))
        if found:
            found[-1][1].append(line)
    return [(name, "\n".join(lines)) for name, lines in found]


def specified(name):
    """Return the name that the specification has for a definition of the compiled code."""
    return re.sub(r"^fast_", "", name).replace("__cinit__", "__init__")


@pytest.fixture(scope="module")
def specification():
    return {module: names_in_python(DISPATCH / f"{module}.py") for module in MODULES}


@pytest.fixture(scope="module")
def compiled():
    return definitions_in_cython(COMPILED)


@pytest.mark.parametrize("module", MODULES)
def test_twins_stand_in_specified_order(specification, compiled, module):
    order = specification[module]
    twins = [specified(name) for name, _ in compiled if specified(name) in order]
    assert twins
    assert twins == sorted(twins, key=order.index)


def test_each_twin_names_its_specification(specification, compiled):
    twins = {
        f"{module}.{specified(name)}"
        for name, _ in compiled
        for module in MODULES
        if specified(name) in specification[module] and "__" not in name  # of these, the class says it
    }
    claims = {
        f"{claim.split('.')[0]}.{specified(name)}"
        for name, text in compiled
        for claim in chain.from_iterable(CLAIM.findall(text))
        if claim and claim.partition(".")[2] == specified(name)
    }
    assert claims == twins


def test_every_claim_names_one_twin(compiled):
    claims = [claim for _, text in compiled for claims in CLAIM.findall(text) for claim in claims if claim]
    assert len(claims) == len(set(claims))
    assert [claim for name, text in compiled for claim in first_claims(text)] == claims
    assert all(
        claim.partition(".")[2] == specified(name) for name, text in compiled for claim in first_claims(text)
    )


def first_claims(text):
    found = CLAIM.search(text)
    return [claim for claim in found.groups() if claim] if found else []


def test_only_fastcall_methods_have_prefix(compiled):
    defined = re.findall(r"^define\(&\w+, <void \*>(\w+), pure\.(\w+),", COMPILED.read_text(), re.MULTILINE)
    assert len(defined) == 5
    assert all(function == f"fast_{name}" for function, name in defined)
    assert {function for function, _ in defined} == {name for name, _ in compiled if name.startswith("fast_")}


def test_all_exported_names_have_twins(specification, compiled):
    tree = ast.parse((DISPATCH / "__init__.py").read_text())
    imports = {node.module: node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    exported = {alias.name for alias in imports["csignals._dispatch.compiled"].names}
    assert exported
    assert exported <= {specified(name) for name, _ in compiled}
    assert exported <= {*chain.from_iterable(specification.values())}
