"""What holds of the package as a whole: one name for one thing, a sentence for every folder, the field's words."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.program import PROJECT

MODULES = sorted(path.relative_to(PROJECT) for path in (PROJECT / "bulkreact").rglob("*.py"))
TEST_MODULES = sorted(path.relative_to(PROJECT) for path in (PROJECT / "tests").rglob("*.py"))
# Words that mean everything, or that only this project would use.
FORBIDDEN = {"place", "words", "told", "heed", "stands", "one", "passing"}


def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse((PROJECT / path).read_text(encoding="utf-8"))


def names(tree: ast.Module) -> set[str]:
    """Return every name that a module gives to something."""
    assigned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    parameters = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return assigned | parameters | {node.name for node in ast.walk(tree) if isinstance(node, definitions)}


def test_no_two_classes_have_the_same_name() -> None:
    nodes = (node for path in MODULES for node in ast.walk(tree_of(path)))
    counts = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=str)
def test_every_folder_says_what_it_is_for(folder: Path) -> None:
    assert ast.get_docstring(tree_of(folder / "__init__.py"))


@pytest.mark.parametrize("path", [*MODULES, *TEST_MODULES], ids=str)
def test_no_name_means_everything(path: Path) -> None:
    assert names(tree_of(path)) & FORBIDDEN == set()


# The first versions without the advisories known when the bounds were set.
_FIXED_IN = {
    "filelock": (3, 20, 3),
    "jinja2": (3, 1, 6),
    "requests": (2, 33),
    "pyjwt": (2, 12),
    "cryptography": (46, 0, 7),
}


@pytest.mark.parametrize("name", _FIXED_IN)
def test_no_version_with_a_known_advisory_is_allowed(name: str) -> None:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    bounds = re.findall(rf'^  "{name}>=([\d.]+)"', text, re.MULTILINE)
    assert bounds
    assert [bound for bound in bounds if tuple(map(int, bound.split("."))) < _FIXED_IN[name]] == []
