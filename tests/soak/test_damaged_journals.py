"""Single changed bits in a journal and its log: each is refused, or changes nothing that is sent or reported."""

import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.batch.journal.integrity import check_journal
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.errors import JournalUnreadableError
from tests.support.damage import flips, make_damageable, read_effects

pytestmark = pytest.mark.soak
NAME, LOG = "journal.sqlite3", "journal.sqlite3-wal"
_FRAME, _PAGE = 24, 4096
_EVERY = 211


def outcomes(folder: Path, name: str, expected: list[tuple[object, ...]]) -> Counter[str]:
    """Return how often a changed bit in a file was refused, was harmless, or had another effect."""
    counted: Counter[str] = Counter()
    work = folder.with_name("work")
    for content in flips((folder / name).read_bytes(), every=_EVERY):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder, work)
        (work / name).write_bytes(content)
        try:
            check_journal(work)
        except JournalUnreadableError:
            counted["refused"] += 1
        else:
            counted["harmless" if read_effects(work) in expected else "wrong"] += 1
    return counted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_damageable(tmp_path / "run")


def test_no_bit_of_a_journal_changes_what_is_sent_or_reported(folder: Path) -> None:
    connect_sqlite(folder / NAME).close()
    with closing(connect_sqlite(folder / NAME)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    counted = outcomes(folder, NAME, [read_effects(folder)])
    assert (counted["wrong"], counted["refused"] > counted["harmless"]) == (0, True), counted


def test_no_bit_of_a_journal_with_a_log_changes_what_is_sent_or_reported(folder: Path) -> None:
    counted = outcomes(folder, NAME, [read_effects(folder)])
    assert (counted["wrong"], counted["refused"] > 0) == (0, True), counted


def test_a_bit_of_a_log_loses_at_most_the_last_transaction_as_a_crash_does(folder: Path) -> None:
    before = folder.with_name("before")
    shutil.copytree(folder, before)
    log = (folder / LOG).read_bytes()
    ends = [end for end in range(32, len(log), _FRAME + _PAGE) if log[end + 4 : end + 8] != bytes(4)]
    (before / LOG).write_bytes(log[: ends[-2] + _FRAME + _PAGE])
    counted = outcomes(folder, LOG, [read_effects(folder), read_effects(before)])
    assert (counted["wrong"], counted["refused"] > counted["harmless"]) == (0, True), counted
