"""Files that would cost more than any table does: refused in words while they are read, and limits as options."""

import gzip
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace
from pandas.errors import ParserError

from bulkreact.cli.options.param_types import READ_LIMIT
from bulkreact.errors import InputRefusedError
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.read_limits import LIMIT_NAMES, ReadLimits
from bulkreact.sheets.input.workbook import workbook_reader
from bulkreact.sheets.input.workbook.process_watch import ProcessWatch, measure_for
from bulkreact.sheets.input.workbook.workbook_parts import WorkbookParts
from tests.support.bombs import many_entries
from tests.support.ids import HEADER, guid, row
from tests.support.program import Program
from tests.support.workbooks import TABLE, cell, row_xml, sheet_xml, write_workbook

_MIB = 1 << 20
_TABLE = "\n".join([",".join(HEADER), *(",".join(row(guid(number))) for number in range(1, 4)), ""])
_LIMITS = ReadLimits()


def pack(path: Path, parts: Iterable[bytes]) -> Path:
    with gzip.open(path, "wb") as packed:
        packed.writelines(parts)
    return path


def read(path: Path, limits: ReadLimits = _LIMITS, max_rows: int = 100) -> int:
    input_file = InputFile(path, max_rows=max_rows, name="input", options=InputOptions(limits=limits))
    return len(list(input_file.rows()))


def refusal(path: Path, limits: ReadLimits = _LIMITS, max_rows: int = 100) -> str:
    with pytest.raises(InputRefusedError) as refused:
        read(path, limits, max_rows)
    return str(refused.value)


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of unpacked bytes after each piece of a text that is read."""
    counts: list[int] = []
    check = ReadLimits.check

    def note(limits: ReadLimits, name: str, count: int, what: str, remedy: str = "") -> None:
        counts.extend([count] if name == "bytes" else [])
        check(limits, name, count, what, remedy)

    monkeypatch.setattr(ReadLimits, "check", note)
    return counts


def test_an_archive_of_zeros_is_refused_before_it_is_unpacked(tmp_path: Path, bytes_read: list[int]) -> None:
    path = pack(tmp_path / "input.csv.gz", [bytes(_MIB)] * 200)
    assert "input unpacks to more than 250 times its size" in refusal(path)
    assert max(bytes_read) < 50 * _MIB


@pytest.mark.parametrize(
    ("content", "limits", "message"),
    [
        (f"{_TABLE}{'x' * 3000}", replace(_LIMITS, row=1000), "more than 1,000 characters in a row"),
        (_TABLE + '"x\n",' * 500, replace(_LIMITS, row=1000), "more than 1,000 characters in a row"),
        (f'{_TABLE}"{_TABLE * 9}', replace(_LIMITS, cell=1000), "more than 1,000 characters in a cell near row 5"),
        (f"{','.join(HEADER)}{',' * 30}\n", replace(_LIMITS, columns=20), "more than 20 columns"),
        (f"{_TABLE}x{',' * 30}\n", replace(_LIMITS, columns=20), "more than 20 columns"),
        (f'{_TABLE}"x"{",y" * 30}\n', replace(_LIMITS, columns=20), "more than 20 columns"),
        (_TABLE, replace(_LIMITS, cells=11), "more than 11 cells"),
        (_TABLE * 9, replace(_LIMITS, bytes=1000), "more than 1,000 bytes"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_text_is_refused_by_what_it_would_cost(
    tmp_path: Path, content: str, limits: ReadLimits, message: str, compressed: bool
) -> None:
    path = tmp_path / "input.csv"
    path.write_bytes(gzip.compress(content.encode()) if compressed else content.encode())
    assert f"input has {message}" in refusal(path, limits)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, bytes_read: list[int]) -> None:
    (tmp_path / "input.csv").write_text(_TABLE * 50)
    assert "input has more than 1,000 bytes" in refusal(tmp_path / "input.csv", replace(_LIMITS, bytes=1000))
    assert bytes_read == [(tmp_path / "input.csv").stat().st_size]


def test_a_row_ends_where_its_quotation_marks_do(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    lines = [f'"{number}\n",{",".join(row(guid(number)))}' for number in range(1, 21)]
    path.write_text("\n".join([f"Name,{','.join(HEADER)}", *lines, ""]), newline="")
    assert read(path, replace(_LIMITS, row=150)) == 20


@pytest.mark.parametrize("number", [3, 2000, 10_000])
def test_more_rows_than_allowed_are_refused_naming_both_numbers(tmp_path: Path, number: int) -> None:
    path = tmp_path / "input.csv"
    path.write_text("\n".join([",".join(HEADER), *[",".join(row(guid(1)))] * number, ""]))
    seen = f"{number:,}" if number < 1005 else "more than 1,004"
    assert f"input has {seen} rows, more than the 2 that --max-rows allows" in refusal(path, max_rows=2)


def test_rows_are_refused_while_they_are_read(tmp_path: Path, bytes_read: list[int]) -> None:
    path = tmp_path / "input.csv"
    path.write_text("\n".join([",".join(HEADER), *[",".join(row(guid(1)))] * 50_000, ""]))
    assert "more than 1,020 rows" in refusal(path, max_rows=10)
    # The first is the size of the file.
    assert max(bytes_read[1:]) < path.stat().st_size / 2


def test_blank_rows_and_repeated_headers_are_no_rows_too_many(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    path.write_text(_TABLE + ",,\n" * 2000 + "\n" * 2000 + _TABLE)
    assert read(path, max_rows=6) == 6


def test_a_file_of_line_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkreact.sheets.input.text.csv_scan._MOST_BLANK", 1000)
    path = tmp_path / "input.csv"
    path.write_text("\n" * 1001)
    assert "input has more than 1,000 blank rows" in refusal(path)


def test_long_rows_are_read_in_small_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkreact.sheets.input.text.csv_table._CHUNK_LENGTH", 20_000)
    path = tmp_path / "input.csv"
    lines = [f"{'x' * 5000},{','.join(row(guid(number)))}" for number in range(1, 21)]
    path.write_text("\n".join([f"Name,{','.join(HEADER)}", *lines, ""]))
    input_file = InputFile(path, max_rows=100)
    assert max(len(chunk) for chunk in input_file._table.chunks()) < 5
    assert len(list(input_file.rows())) == 20


@pytest.mark.parametrize(
    ("rows", "limits", "message"),
    [
        ([row_xml(("x" * 500, *TABLE[1][1:]), 3)], replace(_LIMITS, row=300), "300 characters in a row"),
        ([row_xml(("x" * 500, *TABLE[1][1:]), 3)], replace(_LIMITS, cell=300), "300 characters in a cell"),
        (["<row r='3'>" + cell("x", "Z3") + "</row>"], replace(_LIMITS, columns=20), "20 columns"),
        (["<row r='3'>" + cell("x", "Z3") + "</row>"], replace(_LIMITS, cells=70), "70 cells"),
        ([], replace(_LIMITS, sheets=1), "1 sheets"),
        ([], replace(_LIMITS, parts=4), "4 parts"),
        ([row_xml(["x" * 9000], 3)], replace(_LIMITS, bytes=5000), "5,000 bytes, unpacked"),
    ],
)
def test_a_workbook_is_refused_by_what_it_would_cost(
    tmp_path: Path, rows: list[str], limits: ReadLimits, message: str
) -> None:
    content = sheet_xml([row_xml(TABLE[0], 1), row_xml(TABLE[1], 2), *rows])
    path = write_workbook(tmp_path / "input.xlsx", content, content)
    assert f"input has more than {message}" in refusal(path, limits)


def test_a_sheet_with_more_rows_than_allowed_is_refused(tmp_path: Path) -> None:
    rows = [row_xml(TABLE[0], 1), *(row_xml(TABLE[1], number) for number in range(2, 1100))]
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(rows))
    assert "input has more than 1,020 rows, more than the 10 that --max-rows" in refusal(path, max_rows=10)


@pytest.mark.parametrize(
    "rows",
    [
        [row_xml(TABLE[1], number) for number in range(2, 3000)],
        [f'<row r="{number}"><c r="A{number}"><f>1+1</f></c></row>' for number in range(2, 6000)],
    ],
    ids=["values", "formulas"],
)
def test_a_sheet_with_more_rows_than_allowed_is_refused_before_its_end_is_read(tmp_path: Path, rows: list[str]) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml([row_xml(TABLE[0], 1), *rows, "<broken"]))
    assert "input has more than 1,020 rows, more than the 10 that --max-rows" in refusal(path, max_rows=10)


def test_a_sheet_that_is_not_the_table_has_any_number_of_rows(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(["<row><c><v>1</v></c></row>"] * 1100), sheet_xml())
    assert read(path, max_rows=10) == 3


def test_sheets_are_not_searched_for_a_header_in_more_rows_than_allowed(tmp_path: Path) -> None:
    blank = sheet_xml([row_xml([" "], number) for number in range(1, 800)])
    path = write_workbook(tmp_path / "input.xlsx", blank, blank, sheet_xml())
    assert "input has more than 1,020 rows, more than the 10 that --max-rows" in refusal(path, max_rows=10)
    assert read(path, max_rows=1000) == 3


def test_no_more_styles_are_kept_than_a_workbook_may_have(tmp_path: Path) -> None:
    formats = "<xf numFmtId='14'/>" * 70_000
    styles = f"<styleSheet><cellStyleXfs><xf/></cellStyleXfs><cellXfs>{formats}</cellXfs></styleSheet>"
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(), parts={"xl/styles.xml": styles})
    with path.open("rb") as file:
        assert WorkbookParts(file, _LIMITS).number_formats == [14] * 65_536


def test_one_part_is_no_two_sheets(tmp_path: Path) -> None:
    sheets = '<sheet name="A" sheetId="1" r:id="rId1"/><sheet name="B" sheetId="2" r:id="rId1"/>'
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(), book=sheets)
    assert "two of its sheets are the same part" in refusal(path)


def test_of_many_sheets_with_the_columns_ten_are_named(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "input.xlsx", *[sheet_xml()] * 14)
    remark = InputFile(path, max_rows=9).remark
    assert "'K' and 3 more has such columns" in remark
    assert "'L'" not in remark


def test_one_text_in_all_cells_takes_memory_in_proportion_to_the_file(tmp_path: Path) -> None:
    cells = ("<row>" + '<c t="s"><v>0</v></c>' * 10 + "</row>") * 30_000
    text = f"<sst><si><t>{'x' * 32_767}</t></si></sst>"
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml([cells]), parts={"xl/sharedStrings.xml": text})
    assert "it is damaged, or too large" in refusal(path, max_rows=100_000)


def test_memory_is_measured_where_the_system_does_not_limit_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zipfile.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    measured: list[int] = []

    def measure(pid: int) -> int:
        measured.append(pid)
        return 5 << 30

    monkeypatch.setattr(workbook_reader, "ProcessWatch", lambda process, limits: ProcessWatch(process, limits, measure))
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml())
    assert "input takes more than 4,294,967,296 bytes of memory to read." in refusal(path)
    assert measured


@pytest.mark.parametrize(("platform", "measured"), [("linux", False), ("win32", True), ("darwin", True)])
def test_each_system_limits_the_memory_or_is_measured(platform: str, measured: bool) -> None:
    assert bool(measure_for(platform)) == measured


@pytest.mark.parametrize(
    ("text", "limit"), [("columns=20", ("columns", 20)), ("bytes=8G", ("bytes", 8 << 30)), ("row=2k", ("row", 2048))]
)
def test_a_limit_is_named_with_its_number(text: str, limit: tuple[str, int]) -> None:
    assert READ_LIMIT.convert(text, None, None) == limit


def test_each_limit_can_be_raised_by_an_option_a_variable_and_the_file(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = program.folder / "input.csv"
    source.write_text(_TABLE)
    (program.folder / "bulkreact.toml").write_text('[plan]\nread_limit = ["columns=2"]\n')
    refused = program("plan", "input.csv")
    assert (refused.code, "raise --read-limit columns" in refused.err) == (2, True)
    assert program("plan", "input.csv", "--read-limit", "columns=3").code == 0
    monkeypatch.setenv("BULKREACT_PLAN_READ_LIMIT", "columns=3 cells=11")
    assert "more than 11 cells" in program("plan", "input.csv").err
    wrong = program("plan", "input.csv", "--read-limit", "colums=3")
    assert (wrong.code, ", ".join(LIMIT_NAMES) in " ".join(wrong.err.split())) == (2, True)


def test_a_stream_that_does_not_end_is_refused(program: Program) -> None:
    endless = program("plan", "-", "--read-limit", "bytes=1M", stdin=_TABLE + "x,y,z\n" * 400_000)
    assert endless.code == 2
    assert "standard input has more than 1,048,576 bytes" in endless.err


@pytest.mark.parametrize("damage", [slice(0, -9), slice(0, 40)])
def test_a_damaged_archive_is_refused_as_such(tmp_path: Path, damage: slice) -> None:
    path = tmp_path / "input.csv.gz"
    path.write_bytes(gzip.compress(_TABLE.encode())[damage])
    assert "input cannot be unpacked: it is damaged or cut off" in refusal(path)


def test_the_guide_names_each_limit_with_its_default() -> None:
    chapter = (Path(workbook_reader.__file__).parents[3] / "guide" / "input.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (`[a-z]+`, `[a-z]+`) \|.*\| ([0-9]+[GM]?), ([0-9]+[GM]?) \|$", chapter, re.MULTILINE)
    named = [
        READ_LIMIT.convert(f"{name}={value}", None, None)
        for names, *values in lines
        for name, value in zip(re.findall("[a-z]+", names), values, strict=True)
    ]
    assert dict(named) == {name: getattr(ReadLimits(), name) for name in LIMIT_NAMES}


@pytest.mark.parametrize("error", [MemoryError(), ParserError("Error tokenizing data. C error: out of memory")])
@pytest.mark.parametrize(
    "command", [("plan",), ("run", "--simulate"), ("discover", "--simulate", "--complete"), ("discover", "--customers")]
)
def test_a_file_that_takes_more_memory_than_there_is_is_refused(
    program: Program, monkeypatch: pytest.MonkeyPatch, error: Exception, command: tuple[str, ...]
) -> None:
    def read_csv(*_: object, **__: object) -> None:
        raise error

    (program.folder / "input.csv").write_text(_TABLE)
    monkeypatch.setattr("pandas.read_csv", read_csv)
    result = program(*command, "input.csv")
    assert result.code == 2
    assert "input.csv takes more memory to read than there is. Nothing was sent." in result.err


@pytest.mark.parametrize("said", [10_001, 0])
def test_a_container_of_many_parts_is_refused_before_its_directory_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: int
) -> None:
    def read_directory(*_: object) -> None:
        raise AssertionError("the directory was read")

    path = tmp_path / "many.xlsx"
    path.write_bytes(many_entries(100_000, said=said))
    monkeypatch.setattr("zipfile.ZipFile._RealGetContents", read_directory)
    assert "has more than 10,000 parts" in refusal(path)
