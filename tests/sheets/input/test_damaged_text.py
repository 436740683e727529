"""Text tables that were cut off, put together or saved badly: read truly, or refused; never other targets."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.errors import InputRefusedError
from bulkreact.models import InputRow
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from tests.support.ids import HEADER, guid, row

MARK = "\ufeff"
IDS = ",".join(HEADER)
LINES = [f"{','.join(row(guid(number)))},R{number}\r\n" for number in range(1, 9)]
TABLE = f"{IDS},Note\r\n{''.join(LINES)}"
QUOTED = ('"Name, legal"', *(f'"{name}"' for name in HEADER), '"Invoice id"')


def save(folder: Path, content: str | bytes) -> Path:
    (folder / "input.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "input.csv"


def take(path: Path, **options: object) -> tuple[InputFile, list[InputRow]]:
    input_file = InputFile(path, max_rows=10_000, name=path.name, options=InputOptions(**options))  # type: ignore[arg-type]
    return input_file, list(input_file.rows())


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(InputRefusedError) as error:
        take(path, **options)
    return str(error.value)


def targets(rows: list[InputRow]) -> list[tuple[str, str, str] | None]:
    return [
        (found.customer_id, found.subscription_id, found.entitlement_id) if (found := input_row.target) else None
        for input_row in rows
    ]


def quoted_table(mark: str) -> str:
    lines = [",".join(QUOTED), *(f'"Acme, {number}",{",".join(row(guid(number)))},{guid(90)}' for number in (1, 2, 3))]
    return mark + "\r\n".join(lines) + "\r\n"


@pytest.mark.parametrize(
    "before", ["", MARK, MARK * 2, f"{MARK}sep=,\r\n{MARK}", f"Report\r\n\r\n{MARK}", "Report\r\n\0" + MARK]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-16", "utf-32"])
@pytest.mark.parametrize("is_named", [False, True])
def test_a_mark_is_no_text_wherever_it_stands(tmp_path: Path, before: str, encoding: str, is_named: bool) -> None:
    path = save(tmp_path, (MARK + quoted_table(before)).encode(encoding))
    input_file, rows = take(path, encoding=encoding if is_named else None)
    assert input_file.header == ("Name, legal", *HEADER, "Invoice id")
    assert targets(rows) == [row(guid(number)) for number in (1, 2, 3)]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp1250"])
def test_a_mark_of_utf_8_is_no_text_in_an_encoding_that_is_named(tmp_path: Path, encoding: str) -> None:
    path = save(tmp_path, (MARK + quoted_table(MARK)).encode())
    assert take(path, encoding=encoding)[0].header[0] == "Name, legal"
    assert targets(take(path, encoding=encoding)[1]) == [row(guid(number)) for number in (1, 2, 3)]


def test_a_file_that_contradicts_its_mark_is_refused_with_the_mark(tmp_path: Path) -> None:
    path = save(tmp_path, quoted_table("").encode("utf-16"))
    assert refusal(path, encoding="utf-8") == (
        "input.csv is not utf-8 text. The file begins with the byte order mark of UTF-16. "
        "Leave --encoding out, or name another."
    )
    assert "begins with the byte order mark of UTF-8" in refusal(save(tmp_path, MARK.encode() + b"caf\xe9,\n"))


def test_a_header_that_is_repeated_behind_a_mark_is_no_row(tmp_path: Path) -> None:
    _, rows = take(save(tmp_path, MARK + TABLE + MARK + TABLE))
    assert targets(rows) == [row(guid(number)) for number in [*range(1, 9)] * 2]


def test_a_mark_inside_a_cell_is_text(tmp_path: Path) -> None:
    _, rows = take(
        save(tmp_path, f'{IDS},Note\n{",".join(row(guid(1)))},a{MARK}b\n{",".join(row(guid(2)))},"{MARK}c"\n')
    )
    assert [input_row.cells[3] for input_row in rows] == [f"a{MARK}b", f"{MARK}c"]


@pytest.mark.parametrize("mark", ["utf-8", "cp1252"])
@pytest.mark.parametrize("end", ["\x1a", "\r\n\x1a", "\x1a\x1a\x1a", "\x1a\0\0\0", "\r\n\x1a\r\n"])
def test_the_end_of_a_file_of_old_programs_is_no_row(tmp_path: Path, mark: str, end: str) -> None:
    text = f"Größe,{IDS}\r\nx,{','.join(row(guid(1)))}{end}"
    _, rows = take(save(tmp_path, text.encode(mark)))
    assert targets(rows) == [row(guid(1))]
    assert targets(take(save(tmp_path, text + "\r\n" + MARK + text))[1]) == [row(guid(1))] * 2


def test_nul_characters_at_the_end_are_counted(tmp_path: Path) -> None:
    whole = TABLE.encode()
    path = save(tmp_path, whole[: -len("".join(LINES[5:]))] + bytes(881) + b"\r\n")
    input_file, rows = take(path)
    assert targets(rows) == [row(guid(number)) for number in range(1, 6)]
    assert "input.csv: 881 NUL characters at the end were passed over." in input_file.remark
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert "881 NUL characters" in take(packed)[0].remark


@given(start=st.integers(0, len(TABLE)), length=st.integers(32, 700), encoding=st.sampled_from(["utf-8", "utf-16-le"]))
def test_a_block_of_nul_characters_is_never_passed_over_without_a_word(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, encoding: str
) -> None:
    damaged = TABLE[:start] + "\0" * len(TABLE[start : start + length]) + TABLE[start + length :]
    path = save(tmp_path_factory.mktemp("nul"), damaged.encode(encoding))
    try:
        input_file, rows = take(path, encoding=encoding)
    except InputRefusedError:
        return
    assert {*targets(rows)} <= {row(guid(number)) for number in range(1, 9)} | {None}
    assert "NUL characters at the end" in input_file.remark or start >= len(TABLE) - 2


def test_a_block_of_nul_characters_is_refused_with_its_line(tmp_path: Path) -> None:
    damaged = TABLE.replace("".join(LINES[3:6]), "\0" * 400)
    assert refusal(save(tmp_path, damaged)).startswith("input.csv: line 5 has a block of NUL characters with more rows")
    later = "x" * 100_000 + "\r\n" + LINES[0] + "\0" * 100_000 + LINES[1]
    assert "line 12 has a block" in refusal(save(tmp_path, TABLE + later))


@pytest.mark.parametrize("number", [1, 5000, 1 << 20])
def test_nothing_but_nul_characters_is_no_empty_file(tmp_path: Path, number: int) -> None:
    assert "input.csv has nothing but NUL characters, as when a copy broke off." in refusal(
        save(tmp_path, b"\0" * number)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Path.unlink, "cannot be read: No such file"),
        (lambda path: path.write_bytes(b""), "but only 0"),
        (lambda path: path.write_bytes(b"\xff" * 500), "has changed while it was read"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "but only"),
        (lambda path: path.write_text(TABLE + "x," * 50), "is not a proper CSV file"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    path = save(tmp_path, TABLE)
    input_file = InputFile(path, max_rows=99, name="input.csv")
    change(path)
    with pytest.raises(InputRefusedError, match=f"^input.csv .*{message}"):
        list(input_file.rows())


def test_few_nul_characters_are_passed_over_and_counted(tmp_path: Path) -> None:
    input_file, rows = take(save(tmp_path, TABLE.replace("R3", "R" + "\0" * 31 + "3").replace("R8", "\0R8\0")))
    assert [input_row.cells[3] for input_row in rows] == [f"R{number}" for number in range(1, 9)]
    assert "32 NUL characters were passed over, the first in line 4." in input_file.remark
    assert "1 NUL character at the end" in input_file.remark


HEADER_WITH_COMMA = f"Name, legal,{IDS}"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER_WITH_COMMA},Order\nAcme,{','.join(row(guid(1)))},{guid(9)}\n",
        f"{HEADER_WITH_COMMA}\nAcme,{','.join(row(guid(1)))}\n",
        f"{HEADER_WITH_COMMA},Order\n\n{','.join(QUOTED)},\nAcme,{','.join(row(guid(1)))},{guid(9)}\n",
        f'{HEADER_WITH_COMMA},Order\n"Acme, Inc",x,{",".join(row(guid(1)))},1\n"Acme",{",".join(row(guid(2)))},{guid(9)}\n',
        f"{HEADER_WITH_COMMA},Order\nA,b,{','.join(row(guid(1)))},1\n\nAcme,{','.join(row(guid(2)))},{guid(9)}\n",
        f"A, b,C, d,{IDS},Order,Bill\nAcme,c,{','.join(row(guid(1)))},{guid(9)},{guid(8)}\n",
        f"customer_id,subscription_id,Name, legal,entitlement_id,Order\n{guid(1)},{guid(2)},Acme,{guid(3)},{guid(9)}\n",
    ],
)
@pytest.mark.parametrize("kind", [None, "azure"])
def test_rows_that_are_shorter_than_the_header_are_never_read_shifted(
    tmp_path: Path, text: str, kind: str | None
) -> None:
    message = refusal(save(tmp_path, text), kind=kind)
    assert "fewer than the" in message
    assert "Look for a header with a comma in it: put quotation marks around it." in message


@pytest.mark.parametrize("length", [0, 1, 3, 40])
def test_the_rest_of_a_row_with_line_breaks_is_never_read_shifted(tmp_path: Path, length: int) -> None:
    ids = row(guid(1))
    line = f"Acme,{','.join(ids)},{guid(9)}"
    for begin in range(len(line) + 1):
        end = begin + length
        lines = [line[:begin], line[begin:end], line[end:]]
        path = save(tmp_path, "\n".join([f'"Name, legal",{IDS},Order', f"Acme,{','.join(row(guid(2)))},", *lines, ""]))
        read: set[tuple[str, str, str] | None] = set()
        message = "row 4 has"
        try:
            read = {*targets(take(path)[1])}
        except InputRefusedError as error:
            message = str(error)
        assert read <= {ids, row(guid(2)), None}
        assert any(f"row {number} has" in message for number in (4, 5))


def test_a_kind_is_not_read_shifted_either(tmp_path: Path) -> None:
    ids = ",".join(row(guid(1)))
    assert "row 2 has 5 cells" in refusal(save(tmp_path, f"{IDS},Name, legal,kind\n{ids},Acme,subscription\n"))


@pytest.mark.parametrize(
    "text",
    [
        f"{IDS},Name, legal,Order\n{','.join(row(guid(1)))},Acme,x\n",
        f"{IDS},Note\n{','.join(row(guid(1)))}\n",
        f"Name,{IDS},Order,Note\nAcme,{','.join(row(guid(1)))}\n",
        f"Partner,{IDS},Note\n{guid(9)},{','.join(row(guid(1)))},\n",
        f"Name,{IDS},kind,Note\n,{','.join(row(guid(1)))},azure\n",
    ],
)
def test_cells_that_are_left_out_at_the_end_do_no_harm(tmp_path: Path, text: str) -> None:
    assert targets(take(save(tmp_path, text))[1]) == [row(guid(1))]


@pytest.mark.parametrize(("before", "mark"), [("\r\n", "\r\n"), ("", "cut")])
def test_a_file_that_ends_within_a_row_is_reported(tmp_path: Path, before: str, mark: str) -> None:
    input_file, rows = take(save(tmp_path, TABLE + ",".join(row(guid(9))) + before))
    assert targets(rows)[-1] == row(guid(9))
    assert ("input.csv ends within row 10, after 3 of 4 cells and without a line end." in input_file.remark) is (
        mark == "cut"
    )


CELLS = st.text(st.sampled_from('aZé,;"\n\t |='), max_size=8)
PREFIXES = ["", "Report\r\n", "\r\n", '"A ""report"", of\r\nMarch"\r\n', f"Tenant{{0}}{guid(99)}\r\n"]


def write_cell(cell: str, delimiter: str, quoting: Literal[0, 1]) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, quoting=quoting).writerow([cell, ""])
    return line.getvalue().removesuffix("\r\n").removesuffix('""').removesuffix(delimiter)


@st.composite
def written_tables(draw: st.DrawFn) -> tuple[str, list[tuple[str, str, str]]]:
    """Return a table as csv writes it, with marks before some lines and cells, and its targets."""
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    marks = st.sampled_from(["", "", "", MARK, MARK * 2])
    quoting: Literal[0, 1] = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    order = draw(st.permutations([*HEADER, "Name, legal", "Order"]))
    expected = [row(guid(number), number) for number in range(1, draw(st.integers(1, 4)) + 1)]
    records = [dict(zip(HEADER, ids, strict=True)) for ids in expected]
    rows = [
        [
            {**record, "Name, legal": draw(CELLS), "Order": draw(st.sampled_from(["", "1", guid(77)]))}[name]
            for name in order
        ]
        for record in records
    ]
    lines = [
        delimiter.join(draw(marks) + write_cell(cell, delimiter, quoting) for cell in cells) + "\r\n"
        for cells in [order, *rows]
    ]
    repeated = draw(st.integers(0, len(rows)))
    lines[repeated] += draw(marks) + lines[0] * (repeated > 0)
    prefix = draw(st.sampled_from(["", f"sep={delimiter}\r\n"])) + draw(marks)
    return draw(marks) + prefix + draw(st.sampled_from(PREFIXES)).format(delimiter) + "".join(lines), expected


@given(written=written_tables(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]))
def test_any_table_that_csv_writes_is_read_back_wherever_it_has_marks(
    tmp_path_factory: pytest.TempPathFactory, written: tuple[str, list[tuple[str, str, str]]], encoding: str
) -> None:
    text, expected = written
    assert targets(take(save(tmp_path_factory.mktemp("written"), text.encode(encoding)))[1]) == expected


@given(
    written=written_tables(),
    positions=st.lists(st.integers(0, 2000), min_size=1, max_size=3),
    stray=st.sampled_from(['"', '""', "\n", ","]),
)
def test_a_stray_character_never_leads_to_another_target_or_loses_a_row_without_a_word(
    tmp_path_factory: pytest.TempPathFactory,
    written: tuple[str, list[tuple[str, str, str]]],
    positions: list[int],
    stray: str,
) -> None:
    text, expected = written
    for position in positions:
        text = text[:position] + stray + text[position:] if position <= len(text) else text
    try:
        rows = take(save(tmp_path_factory.mktemp("stray"), text))[1]
    except InputRefusedError:
        return
    read = targets(rows)
    assert {*read} <= {*expected, None}
    assert None in read or read == expected
