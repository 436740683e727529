"""What a journal says of its run is input: it is parsed as strictly as if it had been typed."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal.call_log import load_location
from bulkreact.batch.journal.integrity import check_journal
from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.metadata import RunSettings
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import JournalUnreadableError
from bulkreact.models import Answer, Call, InputRow, Outcome, Status, Target
from tests.support.ids import AT, guid, metadata, target


def make(folder: Path) -> Path:
    create(folder, [InputRow(2, ("x",), target(guid(1)))])
    finalize(folder, metadata())
    return folder


def change(folder: Path, sql: str, *values: str) -> None:
    """Change a journal as somebody with a database program would, without its CHECKs."""
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute(sql, values)


OPERATION = f"/customers/{guid(1)}/subscriptions/{guid(2)}/operations/{guid(3)}"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("base_url", "http://partner.example"),
        ("base_url", "https://user:secret@partner.example"),
        ("base_url", "file:///etc/passwd"),
        ("api_version", "v1/../.."),
        ("cloud", "moon"),
        ("tenant_id", "../contoso"),
        ("uuid", "no-uuid"),
        ("created_at", "yesterday"),
        ("id", "../elsewhere"),
        ("retry_of", "../../elsewhere"),
        ("retry_of", ".."),
        ("header", "{}"),
        ("header", "no JSON"),
    ],
)
def test_what_nobody_could_have_typed_is_damage(tmp_path: Path, column: str, value: str) -> None:
    folder = make(tmp_path)
    change(folder, f"UPDATE run SET {column} = ?", value)  # noqa: S608 - names of the test's own
    with JournalReader(folder) as journal, pytest.raises(JournalUnreadableError, match="damaged"):
        _ = journal.metadata


def test_the_page_of_a_run_is_damage_where_no_browser_should_go(tmp_path: Path) -> None:
    create(tmp_path, [])
    finalize(tmp_path, replace(metadata(), settings=RunSettings(page="javascript:alert(1)")))
    with JournalReader(tmp_path) as journal, pytest.raises(JournalUnreadableError, match="damaged"):
        _ = journal.metadata


def test_ids_of_rows_that_lead_elsewhere_are_damage(tmp_path: Path) -> None:
    subscription = "../../..-0000-0000-0000-/../../../00"
    rows = [InputRow(2, ("x",), Target(guid(1), subscription, guid(2)))]
    digest = hashlib.sha256(b"".join(row.target.digest_line.encode() for row in rows if row.target)).hexdigest()
    create(tmp_path, rows)
    # With the right digest, as somebody would write it who means to deceive.
    finalize(tmp_path, metadata(digest=digest))
    with pytest.raises(JournalUnreadableError, match="an id is not a GUID"):
        check_journal(tmp_path)


@pytest.mark.parametrize(
    ("stored", "used"),
    [
        (OPERATION, OPERATION),
        ("@elsewhere.example/x", ""),
        ("/customers/../invoices", ""),
        ("//elsewhere.example/customers/1", ""),
        ("/customers/1 HTTP/1.1", ""),
    ],
)
def test_the_path_of_an_operation_leads_only_to_a_customer(stored: str, used: str) -> None:
    call = Call(1, guid(1), guid(2), AT, AT, Answer(202, "", "", business=True))
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE answers (call, location)")
        connection.execute("INSERT INTO answers VALUES (1, ?)", (stored,))
        assert load_location(connection, Outcome(Status.ACCEPTED, 1, call)) == used
