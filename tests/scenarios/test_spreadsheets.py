"""Files as LibreOffice really saves them: one table, whatever it is saved as, is read as the same rows."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from bulkreact.models import InputRow, Target
from bulkreact.sheets.input.input_file import InputFile
from tests.support.ids import HEADER, guid, row, write_csv

pytestmark = pytest.mark.office

NOTE = 'sagt: "ja";\nund für 12 €, nicht mehr'


@dataclass(frozen=True)
class Form:
    """What a table is saved as, and what becomes of it that is not the same in all forms."""

    convert_to: str
    suffix: str
    date: str
    remark: str = ""
    from_spreadsheet: bool = True


@dataclass(frozen=True)
class Saved:
    """Where files were saved in a form."""

    folder: Path
    form: Form

    def taken(self, stem: str) -> tuple[InputFile, list[InputRow]]:
        """Read a file."""
        input_file = InputFile(self.folder / f"{stem}{self.form.suffix}", max_rows=100)
        return input_file, list(input_file.rows())


def text(delimiter: str, charset: int, *, remark: str = "", from_spreadsheet: bool = True) -> Form:
    """Return a form of text, with cells as they are shown; LibreOffice has numbers for encodings."""
    tokens = f"{ord(delimiter)},34,{charset},1,,0,false,true,true"
    return Form(f"csv:Text - txt - csv (StarCalc):{tokens}", ".csv", "31.03.2026", remark, from_spreadsheet)


CP1252, UTF_8, UTF_16 = 1, 76, 65535
FORMS = {
    "xlsx": Form("xlsx", ".xlsx", "2026-03-31"),
    "semicolon cp1252": text(";", CP1252, remark="Western encoding (cp1252)"),
    "semicolon UTF-8": text(";", UTF_8),
    "tab UTF-16": text("\t", UTF_16),
    "comma UTF-8": text(",", UTF_8, from_spreadsheet=False),
}


@pytest.fixture(scope="module", params=FORMS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Let LibreOffice save all files in a form: it takes seconds to start, so it does so once for each."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    form = FORMS[request.param]
    folder = tmp_path_factory.mktemp("spreadsheets")
    command = [office, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"]
    files = [table(folder / "table.xlsx"), write_damaged_ids(folder / "damaged.csv")]
    subprocess.run(
        [*command, "--convert-to", form.convert_to, "--outdir", folder / "saved", *files],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    return Saved(folder / "saved", form)


def table(path: Path) -> Path:
    """Make a table such as people keep, of all that a spreadsheet has besides text."""
    book = Workbook()
    sheet = book.active
    sheet["A1"] = "Gekündigte Abonnements"
    for line in (
        ("Kunde", *HEADER, "Menge", "Ende", "Betrag", "Notiz"),
        ("Müller & Söhne", *row(guid(1)), 2, date(2026, 3, 31), "=E3*1.25", NOTE),
        (),
        ("Groß", *row(guid(2).replace("-", "").upper()), 0.5, None, "=E5*1.25", "007"),
        ("Zürich", "=B3", "=C3", *row(guid(3))[2:], 1, None, None, "1e5"),
        ("Köln", *row(guid(4))[:2], "=NA()", 1),
        ("Summe", None, None, None, "=SUM(E3:E7)"),
    ):
        sheet.append(line)
    sheet["F3"].number_format = "dd.mm.yyyy"
    book.save(path)
    return path


def write_damaged_ids(path: Path) -> Path:
    """Write ids that a program takes for numbers when it opens the file."""
    customer, subscription, entitlement = row(guid(1))
    rows = [
        (customer, subscription, "12345678901234567890123456789e12"),
        (customer, subscription, entitlement),
        (customer, "1234567890123456789012345678e123", entitlement),
        ("12345678901234567890123456789012", subscription, entitlement),
    ]
    return write_csv(path, rows)


def test_the_same_rows_are_read_whatever_the_table_is_saved_as(saved: Saved) -> None:
    input_file, rows = saved.taken("table")
    assert input_file.header == ("Kunde", *HEADER, "Menge", "Ende", "Betrag", "Notiz")
    assert [(input_row.number, input_row.problem_code) for input_row in rows] == [
        (3, ""),
        (5, ""),
        (6, ""),
        (7, "damaged-by-excel"),
    ]
    assert [input_row.target for input_row in rows[:3]] == [Target(*row(guid(number))) for number in (1, 2, 3)]


def test_cells_come_back_as_they_are_shown(saved: Saved) -> None:
    _, rows = saved.taken("table")
    assert [input_row.cells for input_row in rows] == [
        ("Müller & Söhne", *row(guid(1)), "2", saved.form.date, "2.5", NOTE),
        ("Groß", *row(guid(2).replace("-", "").upper()), "0.5", "", "0.625", "007"),
        ("Zürich", *row(guid(3)), "1", "", "", "1e5"),
        ("Köln", *row(guid(4))[:2], "#N/A", "1", "", "", ""),
    ]


def test_what_was_guessed_and_what_is_wrong_is_said(saved: Saved) -> None:
    input_file, rows = saved.taken("table")
    total = f"{input_file.name} has a total, row 8: left out, as no row with ids follows."
    assert saved.form.remark in input_file.remark
    assert input_file.remark.endswith(total)
    assert (input_file.remark == total) is not bool(saved.form.remark)
    assert input_file.from_spreadsheet is saved.form.from_spreadsheet
    assert "entitlement_id is not a GUID: '#N/A'" in rows[3].problem


def test_ids_that_were_taken_for_numbers_are_damage(saved: Saved) -> None:
    _, rows = saved.taken("damaged")
    damage = "damaged-by-excel"
    assert [(input_row.number, input_row.problem_code) for input_row in rows] == [
        (2, damage),
        (3, ""),
        (4, damage),
        (5, damage),
    ]
    assert [input_row.problem.casefold().count("e+") for input_row in rows] == [1, 0, 1, 1]
    assert all("the original is lost" in input_row.problem for input_row in rows if not input_row.target)
