"""What is said of a file on the page names its fields, and no option of the command line."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from bulkreact.web import file_wording
from bulkreact.web.file_wording import name_fields

PACKAGE = Path(file_wording.__file__).parents[1]
SOURCES = (PACKAGE / "sheets/columns.py", PACKAGE / "runs/input_reader.py", *(PACKAGE / "sheets/input").rglob("*.py"))
OPTION = re.compile(r"--[a-z]")
# Of options that no check of the page has.
OTHERS = re.compile(r"--(?:map name=X|sum|sha256|strict) ?")


def messages(path: Path) -> Iterator[str]:
    """Yield the texts in a module that name options, with names in place of what is put into them."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        text = ""
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "customer_id" for part in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        if OPTION.search(text):
            yield f"{text}X" if text.endswith("=") else text


def test_no_message_about_a_file_names_an_option_on_the_page() -> None:
    found = list(chain.from_iterable(map(messages, SOURCES)))
    assert len(found) > 15
    assert [text for text in map(name_fields, found) if OPTION.search(OTHERS.sub("", text))] == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "2 columns claim to be customer_id. Rename all but one, or choose with --map customer_id=HEADER.",
            "2 columns claim to be customer_id. Rename all but one, or choose one under Column of customer ids.",
        ),
        (
            "Perhaps: --map customer_id='Kunden ID' --map entitlement_id=Id",
            "Perhaps: Column of customer ids 'Kunden ID', Column of entitlement ids Id",
        ),
        ("--map kind='x y': no column is called that", "Column of kinds 'x y': no column is called that"),
        ("With --encoding cp1250 (Polish) it has the columns", "With Encoding cp1250 (Polish) it has the columns"),
        ("a.csv has no rows. If that is as it should be, add --allow-empty.", "a.csv has no rows."),
        ("a--b is no workbook", "a--b is no workbook"),
    ],
)
def test_options_become_fields(message: str, expected: str) -> None:
    assert name_fields(message) == expected
