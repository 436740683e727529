"""What holds of the package as a whole: one name for one class, a docstring for every folder."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.support.program import PROJECT

PACKAGE = PROJECT / "bulkreact"
TREES = {path.relative_to(PROJECT): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}


def test_no_two_classes_have_the_same_name() -> None:
    counts = Counter(node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in TREES}), ids=str)
def test_every_folder_says_what_it_is_for(folder: Path) -> None:
    assert ast.get_docstring(TREES[folder / "__init__.py"])
