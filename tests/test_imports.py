"""Imports go downward: between packages, between their folders, and in no circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.paths import ROOT

PACKAGES = ("engine", "training", "match", "export")

ORDER = (
    "engine",
    "engine.inference",
    "engine.search",
    "engine.uci",
    "training",
    "training.data",
    "training.batches",
    "training.net",
    "training.run",
    "training.evaluation",
    "match.statistics",
    "match.players",
    "match.play",
    "match.report",
    "match.studies",
    "match.commands",
    "export",
)
"""A folder imports from itself and from those before it. Modules that lie in a package itself are listed with it below."""

PLACES = {
    "engine.check": "engine.uci",
    "engine.__main__": "engine.uci",
    "training.data.__main__": "training.evaluation",
    "training.train": "training.evaluation",
    "match": "match.statistics",
    "match.material": "match.statistics",
    "match.options": "match.play",
    "match.__main__": "match.commands",
}


def modules() -> dict[str, ast.Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module, known: set[str]) -> Iterator[tuple[str, bool]]:
    """Modules of this project that one imports, and whether it does so as it is loaded."""
    typing = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in names]
        for name in names:
            if name in known:
                yield name, id(node) not in inner


def all_imports() -> list[tuple[str, str]]:
    """Who imports whom."""
    trees = modules()
    return [(module, other) for module, tree in trees.items() for other, _ in imports(tree, set(trees))]


def place(module: str) -> int:
    if module in PLACES:
        return ORDER.index(PLACES[module])
    folder = module
    while folder not in ORDER:
        folder = folder.rpartition(".")[0]
    return ORDER.index(folder)


def test_every_folder_imports_downward() -> None:
    assert [(module, other) for module, other in all_imports() if place(other) > place(module)] == []


def test_matches_and_training_do_not_know_each_other() -> None:
    across = [(a, b) for a, b in all_imports() if {a.partition(".")[0], b.partition(".")[0]} == {"match", "training"}]
    assert across == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    trees = modules()
    graph = {module: {other for other, _ in imports(tree, set(trees)) if other != module} for module, tree in trees.items()}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        if module in above:
            pytest.fail(" -> ".join([*above[above.index(module) :], module]))
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("module", ["match.play.bulk", "match.__main__"])
def test_a_worker_of_matches_does_not_load_what_single_commands_need(module: str) -> None:
    """Each worker loads the module of its own work; by way of the console script also ``match.__main__``."""
    code = f"import sys, {module}; print(*sorted({{'chess.engine', 'matplotlib', 'torch'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
