"""Whatever a file is called: what is no table is named for what it is, with what to do."""

import bz2
import gzip
import io
import tarfile
from pathlib import Path

import pytest

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.input.input_file import InputFile
from tests.support.ids import HEADER, guid, row
from tests.support.program import Program
from tests.support.workbooks import sheet_xml, write_workbook, write_zip

HTML = f"<html><body><table><tr><td>{'</td><td>'.join(HEADER)}</td></tr></table></body></html>"
CSV = f"{','.join(HEADER)}\n{','.join(row(guid(1)))}\n"
OPEN_DOCUMENT = "application/vnd.oasis.opendocument."


def tar(content: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("input.csv")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content.encode()))
    return packed.getvalue()


BY_CONTENT = {
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel workbook of the old kind.*Save it as .xlsx"),
    "oldest.xls": (b"\x09\x08\x10\x00\x00\x06\x05\x00", "Excel workbook of the old kind.*save it as .xlsx"),
    "html.xls": (HTML.encode(), r"a web page \(HTML\).*save it as .xlsx"),
    "marked.xls": (HTML.encode("utf-8-sig"), r"a web page \(HTML\)"),
    "wide.xls": (HTML.encode("utf-16"), r"a web page \(HTML\)"),
    "commented.csv": (b"\r\n<!-- report -->\n<TABLE border=1><tr>", r"a web page \(HTML\)"),
    "typed.csv": (f"<!DOCTYPE html>\n{HTML}".encode(), r"a web page \(HTML\)"),
    "strict.csv": (f'<?xml version="1.0"?>\n{HTML}'.encode(), r"a web page \(HTML\)"),
    "xml.xls": (
        b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
        "an XML table of Excel 2003.*save it as .xlsx",
    ),
    "data.xml": (b'<?xml version="1.0"?><customers/>', "an XML file"),
    "flat.fods": (b'<?xml version="1.0"?>\n<office:document xmlns:office="x">', r"OpenDocument spreadsheet \(.fods\)"),
    "data.json": (b'[\n  {"customer_id": "x"}]', "a JSON file"),
    "object.json": (b'{"value": []}', "a JSON file"),
    "data.slk": (b"ID;PSCALC3\nX;C1;Y1", "a SYLK file"),
    "data.dif": (b'TABLE\r\n0,1\r\n"EXCEL"', "a DIF file"),
    "data.dbf": (b"\x03\x7d\x0b\x1e\x03\0\0\0", "a dBase file"),
    "page.mht": (b"MIME-Version: 1.0\r\nContent-Type: multipart/related", "a web archive"),
    "data.parquet": (b"PAR1\x15\x04", "a Parquet file.*as CSV"),
    "data.feather": (b"ARROW1\0\0", "an Arrow"),
    "data.orc": (b"ORC\n\0", "an ORC file"),
    "data.tar": (tar(CSV), "a tar archive.*Unpack it"),
    "data.tar.gz": (gzip.compress(tar(CSV)), "a tar archive.*Unpack it"),
    "data.csv.gz.gz": (gzip.compress(gzip.compress(CSV.encode())), "compressed twice.*Unpack it once"),
    "data.7z": (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
    "data.rar": (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
    "data.csv.bz2": (bz2.compress(CSV.encode()), "packed with bzip2.*gzip"),
    "data.csv.xz": (b"\xfd7zXZ\0\0", "packed with xz"),
    "data.csv.zst": (b"\x28\xb5\x2f\xfd\x04", "packed with Zstandard"),
    "cut.csv.gz": (gzip.compress(CSV.encode())[:20], "cannot be unpacked: it is damaged or cut off"),
}


@pytest.mark.parametrize("name", BY_CONTENT)
def test_a_file_that_is_no_table_is_called_by_what_it_is(tmp_path: Path, name: str) -> None:
    content, message = BY_CONTENT[name]
    # The name has no say.
    for path in (tmp_path / name, tmp_path / "input.csv", tmp_path / "input.xlsx"):
        path.write_bytes(content)
        with pytest.raises(InputRefusedError, match=message):
            InputFile(path, max_rows=10)


ARCHIVES: dict[str, tuple[dict[str, str | bytes], str]] = {
    "table.zip": ({"input.csv": CSV}, "is a zip archive.*run the file inside"),
    "book.xlsb": (
        {"[Content_Types].xml": "damaged", "xl/workbook.bin": b"\x83\x01", "xl/_rels/workbook.bin.rels": ""},
        r"a binary workbook \(.xlsb\).*save it as .xlsx",
    ),
    "book.ods": (
        {"mimetype": f"{OPEN_DOCUMENT}spreadsheet", "content.xml": "<office/>"},
        r"an OpenDocument spreadsheet \(.ods\).*save it as .xlsx",
    ),
    "text.odt": ({"mimetype": f"{OPEN_DOCUMENT}text", "content.xml": "<office/>"}, "no spreadsheet"),
    "letter.docx": ({"[Content_Types].xml": "", "word/document.xml": ""}, "is a Word document"),
    "book.numbers": ({"Index/Document.iwa": b"", "Data/x.png": b""}, "is a Numbers document"),
    "nothing.zip": ({}, "is an empty archive"),
    "rest.xlsx": ({"[Content_Types].xml": ""}, r"no Excel workbook that could be read \(it has no xl/workbook.xml\)"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_no_workbook_is_called_by_what_it_is(tmp_path: Path, name: str) -> None:
    content, message = ARCHIVES[name]
    for path in (tmp_path / name, tmp_path / "input.csv"):
        write_zip(path, content)
        with pytest.raises(InputRefusedError, match=message):
            InputFile(path, max_rows=10)


@pytest.mark.parametrize("name", ["input.xlsx.gz", "input.csv", "input"])
def test_a_workbook_is_read_under_any_name_and_compressed(tmp_path: Path, name: str) -> None:
    workbook = write_workbook(tmp_path / "book", sheet_xml()).read_bytes()
    path = tmp_path / name
    path.write_bytes(gzip.compress(workbook) if name.endswith(".gz") else workbook)
    assert len(list(InputFile(path, max_rows=10).rows())) == 3


@pytest.mark.parametrize(
    "start",
    [
        "<none>",
        "<b>bold</b> title",
        "tables",
        "<tabular>",
        "ORCHIDS",
        "PAR1",
        "GIF89",
        "ID;Name",
        "[note]",
        "{title}",
        "TABLE",
    ],
)
def test_text_that_only_resembles_markup_is_text(tmp_path: Path, start: str) -> None:
    (tmp_path / "input.csv").write_text(f"{start}\n{CSV}")
    assert len(list(InputFile(tmp_path / "input.csv", max_rows=10).rows())) == 1


def test_a_sweep_puts_what_is_no_table_aside_and_runs_the_next(program: Program) -> None:
    inbox = program.folder / "inputs"
    inbox.mkdir()
    (inbox / "a.xls").write_text(HTML)
    write_zip(inbox / "b.zip", {"input.csv": CSV})
    write_workbook(inbox / "c.xlsx", book="")
    (inbox / "d.csv").write_text(CSV)
    process = program("sweep", "--simulate", "--yes", "--settle", "0")
    assert process.code == 2, process.err
    assert (inbox / "done" / "d.csv").is_file()
    assert {path.name for path in (inbox / "failed").iterdir()} >= {"a.xls", "b.zip", "c.xlsx"}
