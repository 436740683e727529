"""Rows of workbooks: read alike with and without the parser, and as other programs read them."""

import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkreact.models import CellType, ColumnType, TypedCell
from bulkreact.sheets.input.workbook import sheet_rows, xml_text
from bulkreact.sheets.input.workbook.cell_values import CellReader
from bulkreact.sheets.input.workbook.sheet_parser import SheetParser
from bulkreact.sheets.input.workbook.sheet_rows import SheetRows
from bulkreact.sheets.input.workbook.workbook_parts import WorkbookRefusedError
from tests.support.workbooks import sheet_xml

FORMATS: tuple[str | int, ...] = (0, "0.00", "dd.mm.yyyy", "[h]:mm", *["0.0"] * 19)
SHARED = ("first", "second & third", "")
# As Excel, openpyxl, XlsxWriter, LibreOffice, Gnumeric and SheetJS write cells; {} is the number of the row.
CELLS = (
    '<c r="A{}" s="1"><v>1234.5</v></c>',
    '<c r="B{}" t="s"><v>1</v></c>',
    '<c r="C{}" t="s" s="2"><v>0</v></c>',
    '<c r="D{}" s="2" t="n"><v>46082</v></c>',
    '<c r="E{}" s="2"><v>46082.123456789</v></c>',
    '<c r="F{}" s="3"><v>1.5</v></c>',
    '<c r="G{}" t="b"><v>1</v></c>',
    '<c r="H{}" t="e"><v>#N/A</v></c>',
    '<c r="I{}" t="str"><f>A1&amp;"x"</f><v>a &lt; b_x000D_</v></c>',
    '<c r="J{}"><f t="shared" si="0"/><v>7</v></c>',
    '<c r="K{}"><f>SUM(A1:A2)</f></c>',
    '<c r="L{}"><f>SUM(A1:A2)</f><v></v></c>',
    '<c r="M{}" t="inlineStr"><is><t xml:space="preserve"> a </t></is></c>',
    '<c r="N{}" t="inlineStr"><is><t>x&#10;y</t></is></c>',
    '<c r="O{}" t="inlineStr"><is><r><t>a</t></r><r><rPr><b/></rPr><t>b</t></r></is></c>',
    '<c r="P{}" s="12"/>',
    '<c r="Q{}" s="1" />',
    '<c r="R{}" s="1"></c>',
    '<c r="S{}"><v/></c>',
    '<c r="T{}" t="d" s="2"><v>2026-03-01T12:00:00</v></c>',
    '<c r="U{}" cm="1" s="99"><v>1E-7</v></c>',
    "<c s='1' r='V{}'><v>3</v></c>",
    '<c r="W{}"><v>4</v><extLst><x/></extLst></c>',
    '<c r="X{}" t="inlineStr"><is><t><![CDATA[<c>]]></t></is></c>',
    '<c r="Y{}" t="str"><v>tab\tline\nend</v></c>',
)


ReadRow = tuple[int, bool, tuple[str, ...], list[TypedCell], list[ColumnType]]


@pytest.fixture(autouse=True, scope="module")
def short_blocks() -> Iterator[None]:
    """Read blocks of a row or two: what is before the first row is always left to the parser, with the rest of its block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml_text, "_BLOCK", 150)
        # The second row of a kind is read with a regular expression.
        patch.setattr(sheet_rows, "_OFTEN", 1)
        yield


def read(content: str) -> list[ReadRow]:
    reader = CellReader(SHARED, counts_from_1904=False)
    rows = SheetRows(io.BytesIO(content.encode()), "A", reader, FORMATS)
    return [(row.number, row.is_hidden, row.cells, row.others, row.shape.column_types) for row in rows]


def read_or_refuse(content: str) -> list[ReadRow] | None:
    """Return the rows, None if the sheet is refused."""
    try:
        return read(content)
    except WorkbookRefusedError:
        return None


def row_of(number: int, cells: tuple[str, ...] | list[str], attributes: str = "") -> str:
    return f'<row r="{number}"{attributes}>{"".join(cell.format(number) for cell in cells)}</row>'


def with_comment(content: str) -> str:
    """Return the same sheet with a comment in front, after which nothing is read without the parser."""
    return content.replace("<sheetData>", "<!-- <row> --><sheetData>", 1)


@given(
    rows=st.lists(
        st.tuples(
            st.lists(st.sampled_from(range(len(CELLS))), unique=True).map(sorted),
            st.sampled_from(["", ' spans="1:12"', ' hidden="1"', ' ht="0" customHeight="1"', ' s="12"']),
        ),
        max_size=15,
    ),
    first=st.sampled_from([1, 2, 9, 99, 1_048_560]),
    between=st.sampled_from(["", "\n  ", "<!-- </row><row> -->", "<?x </row>?>"]),
)
@example(rows=[(list(range(len(CELLS))), "")] * 3, first=1, between="")
def test_rows_are_read_alike_with_and_without_the_parser(
    rows: list[tuple[list[int], str]], first: int, between: str
) -> None:
    xml = [row_of(first + i, [CELLS[cell] for cell in cells], mark) + between for i, (cells, mark) in enumerate(rows)]
    content = sheet_xml(xml)
    assert read(content) == read(with_comment(content))


@given(
    cells=st.lists(st.sampled_from(range(len(CELLS))), unique=True, min_size=1, max_size=5).map(sorted),
    position=st.floats(0, 1),
    added=st.sampled_from(
        ["<v>", "</v>", "<f/>", "<f>", "</c>", "<is>", "</row>", "<!--", "<?x", "&", '"', "2", "A2", ' t="s"']
    ),
    removed=st.integers(0, 3),
)
def test_a_changed_row_is_read_as_the_parser_reads_it_unless_that_refuses_it(
    cells: list[int], position: float, added: str, removed: int
) -> None:
    rows = [row_of(number, [CELLS[cell] for cell in cells]) for number in range(1, 7)]
    index = round(position * len(rows[4]))
    rows[4] = rows[4][:index] + added + rows[4][index + removed :]
    content = sheet_xml(rows)
    assert read_or_refuse(with_comment(content)) in (read_or_refuse(content), None)


@pytest.mark.parametrize("cell", [*CELLS[:10], CELLS[12], CELLS[15], CELLS[20], CELLS[24]])
def test_what_most_programs_write_needs_no_parser(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    feed = SheetParser.feed

    def record(parser: SheetParser, block: bytes, *, is_final: bool = False) -> None:
        parsed.append(block)
        feed(parser, block, is_final=is_final)

    monkeypatch.setattr(SheetParser, "feed", record)
    monkeypatch.setattr(
        sheet_rows, "split_blocks", lambda part, _end: re.findall(rb".*?</row>|.+", part.read(), re.DOTALL)
    )
    read(sheet_xml([row_of(number, [cell]) for number in range(20, 40)]))
    assert sum(b"<row" in block for block in parsed) == 1


@pytest.mark.parametrize(
    "row",
    [
        '<row r="9"><c r="A99"><v>1</v></c></row>',
        '<row r="9"><c r="B9"><v>1</v></c><c r="A9"><v>1</v></c></row>',
        '<row r="9"><c r="XFE9"><v>1</v></c></row>',
        '<row r="1048577"><c r="A1048577"><v>1</v></c></row>',
        '<row r="9"><c r="A9"><v>&unknown;</v></c></row>',
        '<row r="9"><c r="A9"><v>&#0;</v></c></row>',
        '<row r="9"><c r="A9"><v>a & b</v></c></row>',
        '<row r="9"><c r="A9"><v>\x01</v></c></row>',
        '<row r="9"><c r="A9"><v>1</v></row>',
        '<row r="9"><c r="A9" t="s"><v>3</v></c></row>',
        '<row r="9"><c r="A9" t="s"><v>-1</v></c></row>',
        '<row r="9"><c r="A9" t="b"><v>2</v></c></row>',
        '<row r="9"><c r="A9" t="q"><v>2</v></c></row>',
        '<row r="9"><c r="A9" t="s" t="n"><v>2</v></c></row>',
    ],
)
@pytest.mark.parametrize("cells", [CELLS[:2], ['<c r="A{}"><v>1</v></c>']], ids=["other rows", "such rows"])
@pytest.mark.parametrize("after", [0, 46])
def test_damage_is_refused_wherever_it_is(row: str, cells: list[str], after: int) -> None:
    before = [row_of(number, cells) for number in range(1, 9)]
    with pytest.raises(WorkbookRefusedError):
        read(sheet_xml([*before, row, *(row_of(number, cells) for number in range(10, 10 + after))]))


@pytest.mark.parametrize("style", [0, 2, 3])
def test_a_date_that_is_stored_as_text_has_a_format_for_dates(style: int) -> None:
    ((_, _, cells, others, types),) = read(
        sheet_xml([f'<row r="1"><c r="A1" t="d" s="{style}"><v>2026-03-01T12:30:00.000Z</v></c></row>'])
    )
    assert (cells, others) == (("2026-03-01 12:30:00",), [])
    assert types == [ColumnType(0, CellType.DATE, FORMATS[style] or 14)]


HIDDEN = "".join(f'<row r="{number}"><c r="A{number}"><v>1</v></c></row>' for number in range(30, 40))


@pytest.mark.parametrize(
    "rows",
    [
        [row_of(22, ['<c r="A{}" s="22"><v>1.5</v></c>'])],
        [row_of(22, CELLS[11:12]), row_of(23, CELLS[10:11])],
        [f"<!-- </row>{HIDDEN} -->", row_of(50, CELLS[:2])],
        [f"<?x </row>{HIDDEN} ?>", row_of(50, CELLS[:2])],
    ],
    ids=["a style that ends like the row", "formulas without values", "rows in a comment", "rows in an instruction"],
)
def test_what_looks_plain_and_is_not_is_left_to_the_parser(rows: list[str]) -> None:
    plain = [row_of(number, CELLS[:2]) for number in range(1, 22)]
    content = sheet_xml([*plain, *rows])
    assert read(content) == read(with_comment(content))
    assert {number for number, *_ in read(content)} <= {*range(23), 49}


def test_a_style_that_no_workbook_has_is_none() -> None:
    assert read(sheet_xml([row_of(1, [f'<c r="A{{}}" s="{"1" * 5000}"><v>5</v></c>'])]))[0][2] == ("5",)
