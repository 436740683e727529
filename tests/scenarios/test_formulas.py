"""Results as LibreOffice really opens them, with whatever delimiter: it calculates nothing that came out of an input."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bulkreact.sheets.output.csv_writer import csv_line, guarded_line

pytestmark = pytest.mark.office

CELLS = (
    *("=1+1", "\n=1+1", "x\n=1+1\ny", "x\r=1+1", "'=1+1", "\0=1+1"),
    *(f"x{delimiter}{part}{delimiter}y" for delimiter in ";|\t" for part in ("=1+1", "\0=1+1", '"=1+1"', '""=1+1')),
    *("x;-1-1;y", "x;+1+1", 'x;"\n=1+1";y', '=HYPERLINK("http://localhost/";"x")', "x,=1+1,y", "\uff1d1+1"),
)
# LibreOffice's import filter: delimiters by their codes, quotation mark, UTF-8, from line 1.
DELIMITERS = {"comma": "44", "semicolon": "59", "tab": "9", "bar": "124", "as preset": "9/44/59", "all": "9/44/59/124"}


def lines(write: Callable[[Sequence[str]], str]) -> Iterator[str]:
    """Yield lines with each cell first, in the middle and last."""
    for number, cell in enumerate(CELLS):
        yield write((cell, str(number), "a"))
        yield write((str(number), cell, "b"))
        yield write(("c", str(number), cell))


@pytest.mark.parametrize("delimiters", DELIMITERS)
def test_no_cell_is_calculated_whatever_the_delimiter_is_taken_for(delimiters: str, tmp_path: Path) -> None:
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    bare, guarded = tmp_path / "bare.csv", tmp_path / "guarded.csv"
    bare.write_text("".join(lines(csv_line)), encoding="utf-8", newline="")
    guarded.write_text("".join(lines(guarded_line)), encoding="utf-8", newline="")
    filtering = f"--infilter=CSV:{DELIMITERS[delimiters]},34,76,1"
    subprocess.run(
        [
            *(office, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", filtering),
            *("--convert-to", "fods", "--outdir", tmp_path / "opened", bare, guarded),
        ],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert formulas(tmp_path / "opened" / "bare.fods")
    assert formulas(tmp_path / "opened" / "guarded.fods") == []


def formulas(document: Path) -> list[str]:
    """Return the formulas of a flat document."""
    content = document.read_text(encoding="utf-8")
    assert "<table:table-cell" in content
    return re.findall('table:formula="([^"]*)"', content)
