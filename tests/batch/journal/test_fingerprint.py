"""A journal is recognized only as the very file that the last process left, and as one that is worth it."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.batch.journal import fingerprint
from bulkreact.batch.journal.fingerprint import FINGERPRINT_NAME, has_fingerprint, save_fingerprint
from bulkreact.batch.journal.journal import Journal, is_locked
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.errors import JournalDamagedError
from bulkreact.models import Status
from tests.support.damage import flips
from tests.support.ids import guid
from tests.support.made_runs import make_run

TENANT = guid(9)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a run whose journal has a fingerprint, of several pieces."""
    monkeypatch.setattr(fingerprint, "LEAST_BYTES", 0)
    monkeypatch.setattr(fingerprint, "_PIECE", 16 << 10)
    monkeypatch.setattr(fingerprint, "_BLOCK", 4 << 10)
    folder = make_run(tmp_path / "20260301T120000Z-test-0000", 8, Status.ACCEPTED)
    assert has_fingerprint(folder)
    return folder


def test_a_short_journal_has_no_fingerprint(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "20260301T120000Z-test-0000", 8, Status.ACCEPTED)
    assert not (folder / FINGERPRINT_NAME).exists()
    assert not has_fingerprint(folder)


def test_a_journal_with_a_changed_bit_or_end_is_not_recognized(folder: Path) -> None:
    content = (folder / JOURNAL_NAME).read_bytes()
    for changed in (*flips(content, every=9973), content[:-1], content + b"\0", b""):
        (folder / JOURNAL_NAME).write_bytes(changed)
        assert not has_fingerprint(folder)
    (folder / JOURNAL_NAME).write_bytes(content)
    assert has_fingerprint(folder)


@pytest.mark.parametrize("recorded", [b"", b"\xff", b"0" * 64])
def test_a_journal_is_not_recognized_by_a_damaged_fingerprint(folder: Path, recorded: bytes) -> None:
    (folder / FINGERPRINT_NAME).write_bytes(recorded)
    assert not has_fingerprint(folder)


def test_a_journal_with_records_in_its_log_is_not_recognized(folder: Path) -> None:
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        connection.execute("UPDATE rows SET left_out = 1")
        assert not has_fingerprint(folder)
        (folder / FINGERPRINT_NAME).write_bytes(b"")
        assert not has_fingerprint(folder)


def test_a_journal_that_others_are_looking_at_has_one_too(folder: Path) -> None:
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as watching:
        watching.execute("SELECT * FROM run").fetchone()
        with Journal(folder, check=True) as journal:
            journal.record_tenant(TENANT)
        assert has_fingerprint(folder)


def fail_after_a_record(folder: Path) -> None:
    with Journal(folder) as journal:
        journal.record_tenant(TENANT)
        raise KeyError


def test_work_that_failed_leaves_no_fingerprint(folder: Path) -> None:
    with pytest.raises(KeyError):
        fail_after_a_record(folder)
    assert not has_fingerprint(folder)


def test_a_journal_whose_damage_has_a_fingerprint_is_refused_while_it_is_worked_on(folder: Path) -> None:
    content = bytearray((folder / JOURNAL_NAME).read_bytes())
    content[content.rindex(b"accepted")] ^= 1
    (folder / JOURNAL_NAME).write_bytes(content)
    save_fingerprint(connect_sqlite(folder / JOURNAL_NAME), folder)
    stopped = threading.Event()
    journal = Journal(folder, check=True, meanwhile=True)
    journal.on_damage(stopped.set)
    with pytest.raises(JournalDamagedError), journal:
        pass
    assert stopped.is_set()
    assert not is_locked(folder)
    with pytest.raises(JournalDamagedError):
        Journal(folder, check=True)
