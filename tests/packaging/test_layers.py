"""The imports between the parts of the package. import-linter, which is a hook, checks the same contract and more."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import csignals

PACKAGE = Path(csignals.__file__).parent
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

#: No part by themselves: the names of annotations, and the version.
LEFT_OUT = {"_typing", "_version"}


def name_of(file: Path) -> str:
    parts = ("csignals", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by(file: Path) -> Iterator[str]:
    """Yield the full names that a file imports, wherever in it, and also where only type checkers import."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_imports() -> dict[str, set[str]]:
    """Return the modules of csignals that each of its modules imports."""
    files = {name_of(file): file for file in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")]}
    imports: dict[str, set[str]] = {name: set() for name in files}
    for file_name, file in files.items():
        for name in imported_by(file):
            # `from csignals import Signal` imports the module csignals, `from csignals import muting` csignals.muting.
            module = name if name in files else name.rpartition(".")[0]
            if module in files:
                imports[file_name].add(module)
    return imports


def part_of(module: str) -> str:
    """Return the module or package, right below csignals, to which a module belongs; or csignals itself."""
    return module.split(".")[1] if "." in module else module


def test_no_modules_import_in_a_circle():
    order = TopologicalSorter(find_imports()).static_order()
    assert list(order)  # raises CycleError, which names the modules


def find_arrows() -> set[tuple[str, str]]:
    """Return each pair of parts of which the first imports the second."""
    imports = find_imports()
    arrows = {(part_of(module), part_of(other)) for module, others in imports.items() for other in others}
    return {(part, other) for part, other in arrows if part != other}


def test_at_most_60_imports_between_parts():
    arrows = [arrow for arrow in find_arrows() if not LEFT_OUT & {*arrow}]
    assert 0 < len(arrows) <= 60, sorted(arrows)


def test_each_part_imports_only_parts_below_it():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    settings = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = [contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers"]
    floors = {part: floor for floor, layer in enumerate(layers) for part in layer.split(" | ")}
    assert floors.keys() == {part_of(module) for module in find_imports()} - {"csignals"}
    # The package `csignals` itself is in no layer.
    arrows = [arrow for arrow in find_arrows() if "csignals" not in arrow]
    assert [(part, other) for part, other in arrows if floors[part] >= floors[other]] == []
