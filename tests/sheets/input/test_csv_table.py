"""Text tables as programs save them: whatever they look like, the same rows come out, or a sentence."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.text import csv_table as text_module
from tests.support.ids import guid, read_csv, row
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, row_statuses
from tests.support.tables import problem_codes, take

IDS = ("customer_id", "subscription_id", "entitlement_id")
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]


def save(folder: Path, text: str, encoding: str = "utf-8", name: str = "input.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def table(delimiter: str = ",", end: str = "\n") -> str:
    """Return a table of three rows; one cell has delimiter, quotes and a line break in it."""
    rows = [
        (*IDS, "Name"),
        (*row(guid(1)), "Zürich"),
        (*row(guid(2)), f'"a{delimiter} ""b""{end}c"'),
        (*row(guid(3)), ""),
    ]
    return "".join(delimiter.join(cells) + end for cells in rows)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_same_rows_are_read_however_they_are_saved(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    input_file, rows = take(save(tmp_path, table(delimiter, end), encoding))
    assert input_file.header == (*IDS, "Name")
    assert [input_row.cells[3] for input_row in rows] == ["Zürich", f'a{delimiter} "b"{end}c', ""]
    assert problem_codes(rows) == [(2, ""), (3, ""), (4, "")]
    assert [input_row.target.entitlement_id for input_row in rows if input_row.target] == [guid(1), guid(2), guid(3)]
    assert bool(input_file.remark) is (encoding == "cp1252")


@pytest.mark.parametrize("name", ["input.csv.gz", "input.tsv.gz", "input.txt", "no-suffix"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_compressed_files_are_known_by_their_content(tmp_path: Path, name: str, encoding: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(table(";").encode(encoding)))
    assert len(take(path)[1]) == 3


@pytest.mark.parametrize("mark", ["sep=;\r\n", '"sep=;"\r\n', "SEP=;\n", "sep=;\r"])
def test_excels_mark_says_what_separates_and_does_not_count(tmp_path: Path, mark: str) -> None:
    assert problem_codes(take(save(tmp_path, mark + table(";")))[1]) == [(2, ""), (3, ""), (4, "")]
    strange = mark.replace(";", "~") + table("~")
    assert len(take(save(tmp_path, strange))[1]) == 3


@pytest.mark.parametrize("title", ["Sep=arate list", "sep=", "sep=ab", "separated"])
def test_a_title_is_not_taken_for_excels_mark(tmp_path: Path, title: str) -> None:
    assert problem_codes(take(save(tmp_path, f"{title}\n{table()}"))[1]) == [(3, ""), (4, ""), (5, "")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.4\nplain text", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"PK\x05\x06" + bytes(18), "an empty archive"),
        (b"{\\rtf1 text}", "a text document"),
    ],
)
def test_another_kind_of_file_is_called_by_its_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "input.csv").write_bytes(content)
    with pytest.raises(InputRefusedError, match=message):
        take(tmp_path / "input.csv")


def test_a_mark_is_no_part_of_the_first_name_whatever_is_said_of_the_encoding(tmp_path: Path) -> None:
    input_file, rows = take(save(tmp_path, table(), "utf-8-sig"), InputOptions(encoding="UTF-8"))
    assert input_file.header == (*IDS, "Name")
    assert len(rows) == 3


def test_a_delimiter_inside_quotes_is_not_taken_for_the_delimiter(tmp_path: Path) -> None:
    text = '"Note; with, every | mark\tin it";' + ";".join(IDS) + "\n" + ";".join(("x,y,z,u,v", *row(guid(1)))) + "\n"
    _, rows = take(save(tmp_path, text))
    assert rows[0].cells == ("x,y,z,u,v", *row(guid(1)))


@pytest.mark.parametrize("titles", [0, 1, 20])
def test_a_header_is_found_below_titles(tmp_path: Path, titles: int) -> None:
    above = "".join(f"Cancelled subscriptions, part {number}\n\n" for number in range(titles))
    input_file, rows = take(save(tmp_path, above + table()))
    assert input_file.header == (*IDS, "Name")
    assert problem_codes(rows) == [(2 * titles + number, "") for number in (2, 3, 4)]


def test_a_header_is_not_looked_for_in_the_middle_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="missing in the header"):
        take(save(tmp_path, "a title\n" * 21 + table()))


def test_columns_at_the_end_without_name_or_content_are_none(tmp_path: Path) -> None:
    text = ",".join((*IDS, "Name", "", " ", "")) + "\n" + ",".join((*row(guid(1)), "Ann", "", "", "")) + ",,,\n"
    input_file, rows = take(save(tmp_path, text))
    assert input_file.header == (*IDS, "Name")
    assert rows[0].cells == (*row(guid(1)), "Ann")


def test_columns_at_the_end_without_name_but_with_content_are_kept(tmp_path: Path) -> None:
    text = ",".join((*IDS, "", "", "")) + "\n" + ",".join((*row(guid(1)), "", "note", "")) + "\n"
    input_file, rows = take(save(tmp_path, text))
    assert input_file.header == (*IDS, "", "")
    assert rows[0].cells == (*row(guid(1)), "", "note")


def test_nul_characters_are_passed_over(tmp_path: Path) -> None:
    text = table().replace("Zürich", "Z\0ür\0\0ich") + "\0" * 100_000
    _, rows = take(save(tmp_path, text))
    assert rows[0].cells[3] == "Zürich"
    assert len(rows) == 3


def test_what_is_no_longer_utf_8_far_below_is_read_all_the_same_and_said(tmp_path: Path) -> None:
    text = table() + (",".join((*row(guid(4)), "x" * 100)) + "\n") * 2000 + ",".join((*row(guid(5)), "Zürich")) + "\n"
    input_file, rows = take(save(tmp_path, text, "cp1252"))
    assert rows[-1].cells[3] == "Zürich"
    assert "cp1252" in input_file.remark
    assert "--encoding" in input_file.remark


def test_encoding_and_delimiter_can_be_said(tmp_path: Path) -> None:
    path = save(tmp_path, table("^").replace("Zürich", "Łódź"), "cp1250")
    input_file, rows = take(path, InputOptions(delimiter="^", encoding="cp1250"))
    assert rows[0].cells[3] == "Łódź"
    assert input_file.remark == ""
    with pytest.raises(InputRefusedError, match="is not utf-8 text"):
        take(path, InputOptions(delimiter="^", encoding="utf-8"))


def test_a_torn_archive_gets_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "input.csv.gz"
    lines = "".join(",".join((*row(guid(number)), guid(number * 7))) + "\n" for number in range(9000))
    path.write_bytes(gzip.compress((table() + lines).encode())[:-200])
    with pytest.raises(InputRefusedError, match="cannot be unpacked"):
        take(path)


def test_a_file_that_has_lost_lines_since_they_were_counted_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, table())
    input_file = InputFile(path, max_rows=10_000)
    save(tmp_path, table().rsplit("\n", 2)[0] + "\n")
    with pytest.raises(InputRefusedError, match="has 4 lines of data but only 3 could be read"):
        list(input_file.rows())


@given(
    cells=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), min_size=1, max_size=9),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    chunk=st.sampled_from([4, 200_000]),
)
def test_every_cell_comes_back_whatever_the_form(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], delimiter: str, encoding: str, chunk: int
) -> None:
    lines = [delimiter.join((*IDS, "note"))]
    lines += [delimiter.join((*row(guid(1)), '"' + cell.replace('"', '""') + '"')) for cell in cells]
    path = save(tmp_path_factory.mktemp("form"), "\n".join(lines) + "\n", encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "_CHUNK_CELLS", chunk)
        rows = take(path)[1]
    assert [input_row.cells[3] for input_row in rows] == cells


def test_a_file_out_of_a_spreadsheet_is_run_and_its_columns_come_back(program: Program, partner: Partner) -> None:
    save(program.folder, "sep=;\r\n" + table(";", "\r\n"), "cp1252")
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 0, process.err
    assert "cp1252" in process.err
    assert row_statuses(process.run) == ["accepted"] * 3
    assert [line["Name"] for line in read_csv(process.run / "results.csv")] == ["Zürich", 'a; "b"\r\nc', ""]
    refused = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--encoding", "klingon")
    assert refused.code == 2
    assert "is not an encoding" in refused.err
