"""Errors are described by their codes, and foreign text stays on one line."""

import errno
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bulkreact.wording import describe_error, estimate_duration, printable, printable_lines, wrap_lines


@pytest.mark.parametrize(
    ("error", "description"),
    [
        (OSError(errno.ENOSPC, "canary", "canary"), os.strerror(errno.ENOSPC)),
        (OSError("canary"), "the system gives no reason"),
        (NotImplementedError("canary"), "that is not possible here"),
        (ValueError("canary"), "it is damaged"),
        (sqlite3.OperationalError("canary"), "it is damaged"),
    ],
)
def test_an_error_is_described_by_its_kind_and_never_quoted(error: Exception, description: str) -> None:
    assert describe_error(error) == description


def test_an_error_of_sqlite_is_described_by_its_code(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("this is no database, and canary stands in it" * 99)
    described = []
    with closing(sqlite3.connect(tmp_path / "file")) as connection, suppress(sqlite3.DatabaseError):
        try:
            connection.execute("SELECT canary FROM sqlite_schema")
        except sqlite3.DatabaseError as error:
            described.append(describe_error(error))
            raise
    assert described == ["the file is not a database, or its beginning is damaged"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "about 1 second"),
        (7.2, "about 8 seconds"),
        (90.0, "about 90 seconds"),
        (91.0, "about 2 minutes"),
        (5400.0, "about 90 minutes"),
        (5401.0, "about 1 hour 31 minutes"),
        (172_800.0, "about 48 hours 0 minutes"),
        (200_000.0, "about 2 days 8 hours"),
    ],
)
def test_an_estimated_duration_is_said_as_people_say_it(seconds: float, text: str) -> None:
    assert estimate_duration(seconds) == text


def test_foreign_text_stays_on_one_line() -> None:
    assert printable("a\x1b[2J\n\u202e\x9bä") == "a\\x1b[2J\\n\\u202e\\x9bä"
    assert printable_lines("a\nb\r\x85") == "a\nb\\r\\x85"


def test_text_is_wrapped_between_words_with_its_indentation_and_nothing_is_broken() -> None:
    text = "Folder:   reports/20260301T120000Z-a-very-long-name\n  row 4: this is wrong\n\nend"
    assert wrap_lines(text, 15).split("\n") == [
        "Folder:",
        "reports/20260301T120000Z-a-very-long-name",
        "  row 4: this",
        "  is wrong",
        "",
        "end",
    ]
