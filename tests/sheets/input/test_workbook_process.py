"""Workbooks of strangers: read as they are, or refused in words, whatever the library that reads them does."""

import gzip
import subprocess
import sys
import zipfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from bulkreact.errors import InputRefusedError
from bulkreact.models import InputRow
from bulkreact.secret_variables import SECRET_VARIABLES
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.read_limits import ReadLimits
from bulkreact.sheets.input.workbook.workbook_messages import Job
from bulkreact.sheets.input.workbook.workbook_reader import WorkbookReader
from tests.support.ids import HEADER, guid, row
from tests.support.marks import mostly_soak
from tests.support.program import Program
from tests.support.workbooks import SHEET_PART, TABLE, cell, row_xml, sheet_xml, write_workbook

AGAIN = "save it again as .xlsx"


def take(path: Path, **options: str | ReadLimits) -> list[InputRow]:
    return list(InputFile(path, max_rows=100, options=InputOptions(**options)).rows())  # type: ignore[arg-type]


def refusal(path: Path, **options: str | ReadLimits) -> str:
    with pytest.raises(InputRefusedError) as refused:
        take(path, **options)
    return str(refused.value)


def numbers(rows: list[InputRow]) -> list[int]:
    return [input_row.number for input_row in rows]


def xml_rows(hidden: str = "", *, numbered: bool = True, referenced: bool = True) -> list[str]:
    """Return the rows of the table with a gap below the header; ``hidden`` are attributes of the first below it."""
    at = (1, 3, 4, 5) if referenced else (None,) * 4
    marks = ("", hidden, "", "")
    return [
        row_xml(cells, number, mark, numbered=numbered) for cells, number, mark in zip(TABLE, at, marks, strict=True)
    ]


@pytest.mark.parametrize("hidden", [' hidden="1"', ' hidden="true"', ' ht="0" customHeight="1"', ' ht="0.0"'])
@pytest.mark.parametrize("numbered", [True, False])
def test_a_hidden_row_is_seen_whether_or_not_its_row_has_a_number(tmp_path: Path, hidden: str, numbered: bool) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(xml_rows(hidden, numbered=numbered)))
    assert "1 hidden row with data; the first is row 3." in refusal(path)
    assert numbers(take(path, hidden_rows="skip")) == [4, 5]
    assert numbers(take(path, hidden_rows="include")) == [3, 4, 5]


def test_rows_and_cells_without_any_numbers_are_counted(tmp_path: Path) -> None:
    rows = xml_rows(' hidden="1"', referenced=False)
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(rows))
    assert "the first is row 2." in refusal(path)
    assert numbers(take(path, hidden_rows="skip")) == [3, 4]


@pytest.mark.parametrize(
    ("rows", "detail"),
    [
        (
            ['<row r="5">' + cell("x", "A3") + "</row>"],
            "row 5 of sheet 'A' has the cell A3, which belongs to another row",
        ),
        (
            ['<row r="5">' + cell("x", "A5") + cell("y", "XFD1048576") + "</row>"],
            "the cell XFD1048576, which belongs to",
        ),
        (["<row>" + cell("x", "A7") + cell("y", "B8") + "</row>"], "the cell B8, which belongs to another row"),
        (["<row>" + cell("x", "A7") + cell("y") + "</row>"], "a cell without a reference"),
        (['<row r="5">' + cell("x", "A5") + cell("y", "A5") + "</row>"], "not in order, or occur twice"),
        (['<row r="5">' + cell("x", "B5") + cell("y", "A5") + "</row>"], "not in order, or occur twice"),
        ([row_xml(("x",), 6), row_xml(("y",), 6)], "row 6 of sheet 'A' occurs twice"),
        (["<row>" + cell("x", "A7") + "</row>", "<row>" + cell("y") + "</row>"], "after row 7 has no number"),
        (['<row r="0">' + cell("x") + "</row>"], "a row with the number '0'"),
        (['<row r="five">' + cell("x") + "</row>"], "a row with the number 'five'"),
        (['<row r="5">' + cell("x", "$A$5") + "</row>"], r"the reference '$A$5'"),
        (['<row r="5">' + cell("x", "XFE5") + "</row>"], "column 16385, where no sheet reaches"),
        ([row_xml(("x",), 1048577)], "row 1048577, column 1, where no sheet reaches"),
        (["<row>" + cell("x") * 20_000 + "</row>"], "where no sheet reaches"),
        (["</sheetData><sheetData>" + row_xml(("x",), 9)], "sheet 'A' has two parts with rows"),
        (["<row><c>"], "the XML of sheet 'A' is broken"),
    ],
)
def test_rows_and_cells_that_contradict_each_other_are_refused(tmp_path: Path, rows: list[str], detail: str) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(xml_rows()[:2] + rows))
    message = refusal(path)
    assert detail in message
    assert AGAIN in message


def test_rows_in_another_order_keep_their_numbers(tmp_path: Path) -> None:
    rows = xml_rows(' hidden="1"')
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml([rows[0], rows[3], rows[1], rows[2]]))
    assert "the first is row 3" in refusal(path)
    assert [input_row.cells[0] for input_row in take(path, hidden_rows="skip")] == ["Contoso 2", "Contoso 3"]


@st.composite
def sheets(draw: st.DrawFn) -> tuple[list[str], dict[int, bool]]:
    """Return rows as different programs write them, and which row numbers are hidden."""
    xml, hidden = [row_xml(TABLE[0], 1)], {}
    counted = number = 1
    for _ in range(draw(st.integers(1, 5))):
        numbered, referenced = draw(st.booleans()), draw(st.booleans())
        # A row that carries no number anywhere follows directly, and only where elements have counted right so far.
        bare = not (numbered or referenced) and counted == number
        gap = 0 if bare else draw(st.integers(0, 3))
        number += 1 + gap
        counted = counted + 1 if not numbered and (bare or referenced) else number
        mark = draw(st.sampled_from(["", ' hidden="1"', ' ht="0"', ' ht="15" hidden="0"']))
        hidden[number] = mark in {' hidden="1"', ' ht="0"'}
        cells = TABLE[1]
        if bare:
            xml.append(row_xml(cells, None, mark))
        elif referenced:
            xml.append(row_xml(cells, number, mark, numbered=numbered))
        else:
            counted = number
            xml.append(row_xml(cells, None, f' r="{number}"{mark}'))
    return xml, hidden


@pytest.mark.soak
@settings(max_examples=30, deadline=None)
@given(sheet=sheets())
def test_rows_keep_their_numbers_and_hidden_ones_are_known_however_a_program_writes_them(
    tmp_path_factory: pytest.TempPathFactory, sheet: tuple[list[str], dict[int, bool]]
) -> None:
    xml, hidden = sheet
    path = write_workbook(tmp_path_factory.mktemp("book") / "input.xlsx", sheet_xml(xml))
    assert numbers(take(path, hidden_rows="include")) == list(hidden)
    assert numbers(take(path, hidden_rows="skip")) == [number for number, is_hidden in hidden.items() if not is_hidden]


@pytest.mark.parametrize(("first", "second"), [("ht", "15"), ("hidden", "0"), ("hidden", "false")])
def test_a_row_with_a_height_is_not_hidden(tmp_path: Path, first: str, second: str) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(xml_rows(f' {first}="{second}"')))
    assert len(take(path)) == 3


def test_elements_with_a_prefix_are_understood(tmp_path: Path) -> None:
    content = sheet_xml(xml_rows(' hidden="1"')).replace("<", "<x:").replace("<x:/", "</x:").replace("<x:?", "<?")
    path = write_workbook(tmp_path / "input.xlsx", content.replace("xmlns=", "xmlns:x="))
    assert "the first is row 3" in refusal(path)
    assert len(take(path, hidden_rows="include")) == 3


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("UTF-16", "utf-16"),
        ("UTF-16", "utf-16-le"),
        ("UTF-16BE", "utf-16-be"),
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("unicode-1-1-utf-8", "utf-8"),
        ("IBM037", "cp037"),
    ],
)
def test_a_sheet_in_another_encoding_is_refused_and_never_empty(tmp_path: Path, declared: str, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>'
    content = sheet_xml(declaration=declaration).encode(encoding)
    path = write_workbook(tmp_path / "input.xlsx", content)
    assert AGAIN in refusal(path)


def test_texts_in_another_encoding_are_refused(tmp_path: Path) -> None:
    texts = '<?xml version="1.0" encoding="UTF-16"?><sst/>'.encode("utf-16")
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(), parts={"xl/sharedStrings.xml": texts})
    assert "is stored in the encoding 'UTF-16', and only UTF-8 is read" in refusal(path)


@pytest.mark.parametrize("declaration", ["", "<?xml version='1.0' encoding='utf-8'?>", '\ufeff<?xml version="1.0"?>'])
def test_utf_8_is_read_however_it_is_declared(tmp_path: Path, declaration: str) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(declaration=declaration))
    assert len(take(path)) == 3


def test_a_cell_that_is_merged_says_so(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    for cells in [("Name", *HEADER), *((f"Contoso {number}", *row(guid(number))) for number in range(1, 7))]:
        sheet.append(cells)
    for merged in ("B3:B5", "D4:D5", "B7:D7", "A2:A6"):
        sheet.merge_cells(merged)
    book.save(tmp_path / "input.xlsx")
    rows = take(tmp_path / "input.xlsx")
    assert [(input_row.number, input_row.problem_code) for input_row in rows if input_row.problem_code] == [
        (4, "missing-customer-id"),
        (5, "missing-customer-id"),
        (7, "missing-subscription-id"),
    ]
    assert "customer_id is empty (the cell is merged with others. Unmerge B3:B5 and fill in every" in rows[2].problem
    assert "entitlement_id is empty (the cell is merged with others. Unmerge D4:D5" in rows[3].problem
    assert "Unmerge B7:D7" in rows[5].problem


def test_a_row_whose_ids_are_all_merged_away_says_so(tmp_path: Path) -> None:
    merged = (
        '<mergeCells count="3"><mergeCell ref="B3:B4"/><mergeCell ref="C3:C4"/><mergeCell ref="D3:D4"/></mergeCells>'
    )
    rows = [row_xml(TABLE[0], 1), row_xml(TABLE[1], 3), row_xml(("Contoso 2",), 4), row_xml(TABLE[3], 5)]
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(rows, after=merged))
    problem = take(path)[1]
    assert problem.problem_code == "no-ids"
    assert "its cells are merged, B3:B4 and C3:C4 and D3:D4; unmerge them" in problem.problem


def test_another_sheet_with_the_columns_is_named(tmp_path: Path) -> None:
    other = sheet_xml([row_xml(("How to fill this in",), 1)])
    path = write_workbook(tmp_path / "input.xlsx", other, sheet_xml(), sheet_xml(), other)
    remark = InputFile(path, max_rows=10).remark
    assert "sheet 'B' is read; 'C' has such columns as well. --sheet chooses another." in remark
    assert InputFile(path, max_rows=10, options=InputOptions(sheet="C")).remark == ""
    assert InputFile(write_workbook(path, other, sheet_xml()), max_rows=10).remark == ""


def test_a_chart_is_no_sheet_with_a_table(tmp_path: Path) -> None:
    book = Workbook()
    chart = book.active
    book.create_chartsheet("Chart", 0)
    for cells in TABLE:
        chart.append(cells)
    book.save(tmp_path / "input.xlsx")
    assert len(take(tmp_path / "input.xlsx")) == 3


def test_a_formula_that_was_never_calculated_is_no_empty_cell(tmp_path: Path) -> None:
    formulas = '<row r="6"><c r="B6"><f>B3</f></c><c r="C6"><f>C3</f></c><c r="F6"><f>D3</f></c></row>'
    hidden = formulas.replace('<row r="6"', '<row r="7" hidden="1"').replace('6"', '7"')
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml([*xml_rows(), formulas]))
    assert take(path)[-1].cells == ("", "=B3", "=C3", "", "", "=D3")
    assert take(path)[-1].problem_code == "invalid-customer-id"
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml([*xml_rows(), formulas, hidden]))
    assert "the first is row 7" in refusal(path)


def test_a_formula_that_openpyxl_did_not_calculate_is_no_empty_cell(tmp_path: Path) -> None:
    book = Workbook()
    for cells in [*TABLE, (), ("Contoso 9", "=B2", "=C2", "=D2"), (), ("", "", "", "", "", "=COUNTA(B2:B6)")]:
        book.active.append(cells)
    book.save(tmp_path / "input.xlsx")
    rows = take(tmp_path / "input.xlsx")
    assert [(input_row.number, input_row.problem_code) for input_row in rows[3:]] == [
        (6, "invalid-customer-id"),
        (8, "no-ids"),
    ]
    assert "customer_id is not a GUID: '=B2'" in rows[3].problem


@pytest.mark.parametrize("kind", ["n", "b", "e", "str", "d"])
def test_a_cell_with_an_empty_value_is_empty(tmp_path: Path, kind: str) -> None:
    empty = f'<row r="9"><c r="H9" t="{kind}"><v></v></c></row>\n'
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml([*xml_rows(), empty]))
    assert numbers(take(path)) == [3, 4, 5]


def test_a_formula_with_a_result_is_its_result(tmp_path: Path) -> None:
    ids = "".join(
        f'<c r="{letter}6" t="str"><f>"x"</f><v>{text}</v></c>'
        for letter, text in zip("BCD", row(guid(9)), strict=True)
    )
    empty = '<c r="E6" t="str"><f>""</f><v></v></c>'
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml([*xml_rows(), f'<row r="6">{ids}{empty}</row>']))
    assert take(path)[-1].cells[:5] == ("", *row(guid(9)), "")[: len(take(path)[-1].cells)]


DAMAGED: dict[str, dict[str, str | bytes]] = {
    "no sheets": {"xl/workbook.xml": "<workbook><sheets/></workbook>"},
    "no workbook": {"xl/workbook.xml": ""},
    "no relations": {"xl/_rels/workbook.xml.rels": ""},
    "other relations": {"xl/_rels/workbook.xml.rels": "<Relationships/>"},
    "no rows": {SHEET_PART: ""},
    "a doctype": {SHEET_PART: '<!DOCTYPE x [<!ENTITY a "b">]>' + sheet_xml(declaration="")},
    "entities in the styles": {"xl/styles.xml": '<!DOCTYPE x [<!ENTITY a "b">]><styleSheet/>'},
    "entities in the book": {"xl/workbook.xml": '<!DOCTYPE x [<!ENTITY a "b">]><workbook/>'},
    "entities in the relations": {"xl/_rels/workbook.xml.rels": '<!DOCTYPE x [<!ENTITY a "b">]><Relationships/>'},
    "an unknown entity": {SHEET_PART: sheet_xml().replace("Contoso 1", "&foo;")},
    "an unknown type": {SHEET_PART: sheet_xml([*xml_rows(), '<row r="9"><c r="A9" t="q"><v>1</v></c></row>'])},
    "a missing text": {SHEET_PART: sheet_xml([*xml_rows(), '<row r="9"><c r="A9" t="s"><v>99</v></c></row>'])},
    "broken styles": {"xl/styles.xml": "<styleSheet"},
    "broken texts": {"xl/sharedStrings.xml": "<sst><si><t>"},
}


def test_a_part_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SHEET_PART.upper(), sheet_xml([]))
    assert "one of its parts occurs twice" in refusal(path)


def test_names_of_parts_are_compared_as_other_programs_do(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(xml_rows(' hidden="1"')))
    changed = tmp_path / "changed.xlsx"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(changed, "w") as out:
        for name in archive.namelist():
            out.writestr(name.replace("sheet1", "Sheet1").replace("xl/w", "xl\\w"), archive.read(name))
    assert "the first is row 3" in refusal(changed)
    assert len(take(changed, hidden_rows="include")) == 3


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_workbook_is_refused_in_words(program: Program, damage: str) -> None:
    write_workbook(program.folder / "input.xlsx", sheet_xml(), parts=DAMAGED[damage])
    process = program("plan", "input.xlsx")
    assert (process.code, process.out) == (2, "")
    assert process.err.startswith("Error: input.xlsx ")
    assert "save it again as .xlsx" in process.err
    assert "Traceback" not in process.err


@pytest.mark.parametrize("position", mostly_soak(range(40), plain=10))
def test_a_workbook_with_a_changed_byte_is_read_or_refused(tmp_path: Path, position: int) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml())
    content = bytearray(path.read_bytes())
    content[position * len(content) // 40] ^= 0xFF
    path.write_bytes(content)
    try:
        rows = take(path)
    except InputRefusedError as refused:
        assert str(path) in str(refused)  # noqa: PT017 - either will do
    else:
        assert [input_row.cells for input_row in rows] == TABLE[1:]


@pytest.mark.soak
@pytest.mark.parametrize("bomb", ["ratio", "parts", "compressed"])
def test_a_bomb_is_refused_before_it_costs(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "input.xlsx"
    match bomb:
        case "ratio":
            write_workbook(path, sheet_xml(), parts={"xl/sharedStrings.xml": bytes(20 << 20)})
        case "parts":
            write_workbook(path, sheet_xml())
            with zipfile.ZipFile(path, "a") as archive:
                for number in range(10_001):
                    archive.writestr(f"xl/media/{number}", b"")
        case _:
            path.write_bytes(gzip.compress(b"PK\x03\x04" + bytes(520 << 20), compresslevel=1))
    expected = {"ratio": "unpacks to more than 250 times", "parts": "more than 10,000 parts"}
    assert expected.get(bomb, "more than 536,870,912 bytes") in refusal(path)


def test_a_table_in_the_last_of_many_sheets_is_found(tmp_path: Path) -> None:
    book = Workbook()
    for number in range(300):
        book.create_sheet(f"Sheet {number}").append(("nothing",))
    for cells in TABLE:
        book["Sheet 299"].append(cells)
    book.save(tmp_path / "input.xlsx")
    assert len(take(tmp_path / "input.xlsx")) == 3


def test_long_cells_are_read_and_endless_rows_refused(tmp_path: Path) -> None:
    rows = [
        row_xml(TABLE[0], 1),
        *(row_xml((str(number) * 3_000_000, *TABLE[1][1:]), number) for number in range(2, 6)),
    ]
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(rows))
    assert [(input_row.number, len(input_row.cells[0])) for input_row in take(path)] == [
        (number, 3_000_000) for number in range(2, 6)
    ]
    text = f"<sst><si><t>{'x' * 32_767}</t></si></sst>"
    cells = '<c t="s"><v>0</v></c>' * 2_100
    path = write_workbook(path, sheet_xml([*rows[:2], f"<row>{cells}</row>"]), parts={"xl/sharedStrings.xml": text})
    assert "has more than 16,777,216 characters in a row" in refusal(path)


@pytest.mark.parametrize("library", ["os.abort()", "raise LookupError('secret')", "os._exit(0)", "print('noise')"])
def test_a_library_that_dies_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    (tmp_path / "zipfile.py").write_text(f"import os\n{library}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    message = refusal(write_workbook(tmp_path / "input.xlsx", sheet_xml()))
    assert "is no Excel workbook that could be read (it is damaged, or too large)." in message
    assert "secret" not in message


def test_a_library_that_hangs_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zipfile.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml())
    assert "input.xlsx takes more than 1 seconds to read." in refusal(path, limits=ReadLimits(seconds=1))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of this kind")
def test_the_memory_of_a_library_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zipfile.py").write_text(
        f"""import importlib.machinery, importlib.util, pathlib, resource, sysconfig
spec = importlib.machinery.PathFinder.find_spec("zipfile", [sysconfig.get_path("stdlib")])
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)
BadZipFile = real.BadZipFile
class ZipFile(real.ZipFile):
    def open(self, *arguments):
        limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_CORE)]
        pathlib.Path({str(tmp_path / "limits")!r}).write_text(repr(limits))
        return super().open(*arguments)
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml())
    take(path)
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
    assert (tmp_path / "limits").read_text() == f"[{(512 << 20) + 24 * size}, 0]"


def test_reading_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml())
    reader = WorkbookReader(
        path, "input.xlsx", Job(compressed=False, sheet=None, hidden=None, head_rows=5, limits=ReadLimits())
    )
    process = reader._process
    assert process.poll() is None
    del reader
    assert process.poll() is not None


def test_rows_can_be_read_again(tmp_path: Path) -> None:
    input_file = InputFile(write_workbook(tmp_path / "input.xlsx", sheet_xml()), max_rows=10)
    assert next(input_file.rows()).number == 2
    assert numbers(list(input_file.rows())) == [2, 3, 4]


def test_what_reads_a_workbook_knows_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRET_VARIABLES:
        monkeypatch.setenv(name, "canary")
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml())
    with patch.object(subprocess, "Popen", wraps=subprocess.Popen) as popen:
        assert len(take(path)) == 3
    assert "canary" not in popen.call_args.kwargs["env"].values()


def test_what_lies_in_the_working_directory_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("zipfile", "sitecustomize"):
        (tmp_path / f"{module}.py").write_text("import os; os._exit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert len(take(write_workbook(tmp_path / "input.xlsx", sheet_xml()))) == 3
