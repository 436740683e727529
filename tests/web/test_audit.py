"""The audit trail: what was changed in it, removed or inserted is found, also by whoever has only an old head."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bulkreact.web.audit import FIRST, AuditLine, ChainCheck, ChainedLine, chain_hash
from bulkreact.web.records import Actor
from bulkreact.web.store import STORE_NAME, RecordStore
from tests.support.program import Program, ProgramResult

ANN = Actor("1", "Ann\nZoë", "127.0.0.1")
NOW = "2026-03-01T08:00:00.000Z"
INSERTION = (
    "INSERT INTO audit VALUES (-1, '', '', '', '', NULL, NULL, 'settings', '', hex(zeroblob(32)), hex(zeroblob(32)))"
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
LINES = st.lists(
    st.builds(
        AuditLine,
        st.just(0),
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        st.none() | st.integers(1, 9),
        st.none() | st.integers(1, 9),
        TEXT,
        TEXT,
    ),
    min_size=1,
    max_size=6,
)


def chained(lines: Sequence[AuditLine], start: int = 1) -> list[ChainedLine]:
    """Return lines as they are stored, with consecutive numbers."""
    before, stored = FIRST, list[ChainedLine]()
    for number, line in enumerate(lines, start=start):
        numbered = replace(line, number=number)
        stored.append(ChainedLine(numbered, before, chain_hash(before, numbered)))
        before = stored[-1].hash
    return stored


def checked(lines: Sequence[ChainedLine], known_head: str = "") -> ChainCheck:
    """Return what following a chain finds."""
    check = ChainCheck(known_head)
    for stored in lines:
        check.add(stored)
    return check


@given(LINES)
def test_a_chain_that_nobody_touched_is_whole_and_has_all_its_heads(lines: list[AuditLine]) -> None:
    stored = chained(lines)
    checks = [checked(stored, head) for head in ("", *(line.hash for line in stored))]
    assert {check.is_whole for check in checks} == {True}
    assert not checked(stored, FIRST).has_known_head
    assert checked(chained(lines, start=2)).first_bad == 1
    assert {check.head for check in checks} == {stored[-1].hash}


@given(LINES, st.data())
def test_a_chain_breaks_at_the_first_line_that_was_changed_removed_moved_or_inserted(
    lines: list[AuditLine], data: st.DataObject
) -> None:
    stored = chained(lines)
    at = data.draw(st.integers(0, len(stored) - 1))
    name = data.draw(st.sampled_from(AuditLine.__struct_fields__))
    before, target, after = stored[:at], stored[at], stored[at + 1 :]
    value = getattr(target.line, name)
    other = f"{value}x" if isinstance(value, str) else (value or 0) + 10
    changed = replace(target, line=replace(target.line, **{name: other}))
    rewritten = replace(changed, hash=chain_hash(target.before, changed.line))
    assert checked([*before, changed, *after]).first_bad == at + 1
    if after:
        found = [
            [*before, *after],
            [*before, after[0], target, *after[1:]],
            [*before, target, target, *after],
            [*before, rewritten, *after],
        ]
        assert {checked(lines_found).is_whole for lines_found in found} == {False}
        assert checked(found[0]).first_bad == at + 1
    assert checked(before, stored[-1].hash).first_bad is None
    assert not checked(before, stored[-1].hash).is_whole


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder with five lines in its trail."""
    folder = tmp_path / "reports" / "serve"
    folder.mkdir(parents=True)
    store = RecordStore(folder / STORE_NAME)
    for number in range(5):
        store.audit(ANN, "settings", f"№ {number}\x1b[1m", NOW)
    store.close()
    return folder


def tamper(data: Path, *statements: str) -> None:
    """Change the record of a server as whoever owns the file can."""
    with closing(sqlite3.connect(data / STORE_NAME)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def head_of(data: Path) -> str:
    """Return the present head of a trail."""
    store = RecordStore(data / STORE_NAME)
    head = store.audit_head()
    store.close()
    return head


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET detail = 'x' WHERE number = 5",
        "DELETE FROM audit WHERE number = 5",
        "REPLACE INTO audit SELECT * FROM audit WHERE number = 2",
        INSERTION,
    ],
)
def test_a_trail_is_only_appended_to(data: Path, statement: str) -> None:
    with (
        closing(sqlite3.connect(data / STORE_NAME)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="only appended to"),
    ):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statements", "first_bad"),
    [
        (["UPDATE audit SET person = 'Ben' WHERE number = 3"], 3),
        (["UPDATE audit SET hash = before WHERE number = 5"], 5),
        (["DELETE FROM audit WHERE number = 1"], 1),
        (["DELETE FROM audit WHERE number >= 4"], 4),
        (["DELETE FROM audit"], 1),
        (["DELETE FROM audit WHERE number = 3"], 3),
        (["UPDATE audit SET number = -number WHERE number IN (3, 4)", "UPDATE audit SET number = 7 + number WHERE number < 0"], 3),
        ([INSERTION], -1),
        (["CREATE TABLE other AS SELECT * FROM audit", "DROP TABLE audit", "ALTER TABLE other RENAME TO audit", "UPDATE audit SET detail = x'ff', job = 'x' WHERE number = 4"], 4),
    ],
)  # fmt: skip
def test_what_was_done_to_a_trail_is_found(program: Program, data: Path, statements: list[str], first_bad: int) -> None:
    tamper(data, *statements)
    shown, for_programs = program("audit"), program("audit", "--data", data, "--json")
    found = json.loads(for_programs.out)
    assert (shown.code, for_programs.code) == (1, 1)
    assert f"broken at number {first_bad}:" in shown.out
    assert (found["whole"], found["first_bad"]) == (False, first_bad)


def rebuild(data: Path) -> None:
    """Change the first line and make the whole chain anew, as whoever knows how it is made can."""
    with closing(sqlite3.connect(data / STORE_NAME)) as connection:
        rows = connection.execute("SELECT * FROM audit ORDER BY number").fetchall()
        lines = [AuditLine(*row[:9]) for row in rows]
        stored = chained([replace(lines[0], person="Ben"), *lines[1:]])
    tamper(data)
    with closing(sqlite3.connect(data / STORE_NAME)) as connection, connection:
        for line in stored:
            values = (line.line.person, line.before, line.hash, line.line.number)
            connection.execute("UPDATE audit SET person = ?, before = ?, hash = ? WHERE number = ?", values)


def cut(data: Path) -> None:
    """Remove the last line, and what SQLite keeps of it."""
    tamper(data, "DELETE FROM audit WHERE number = 5", "UPDATE sqlite_sequence SET seq = 4")


@pytest.mark.parametrize("act", [rebuild, cut])
def test_a_trail_that_was_made_anew_or_cut_lacks_its_old_head(program: Program, data: Path, act: object) -> None:
    head = head_of(data)
    before = program("audit", "--head", head.upper())
    act(data)  # type: ignore[operator]
    without, after = program("audit"), program("audit", "--head", head)
    found = json.loads(program("audit", "--head", head, "--json").out)
    assert (before.code, without.code, after.code) == (0, 0, 1)
    assert "never had that head" in after.out
    assert (found["whole"], found["first_bad"], found["head"]) == (False, None, head_of(data))


def events(shown: ProgramResult) -> list[tuple[int, str]]:
    """Return the numbers and details of all events."""
    return [(event["number"], event["detail"]) for event in json.loads(shown.out)["events"]]


def test_a_trail_is_shown_while_its_server_writes_to_it(program: Program, data: Path) -> None:
    store = RecordStore(data / STORE_NAME)
    store.audit(ANN, "settings", "sixth", NOW)
    files = sorted(path.name for path in data.iterdir())
    shown, for_programs = program("audit"), program("audit", "--json")
    after = sorted(path.name for path in data.iterdir())
    head = store.audit_head()
    store.close()
    assert (shown.code, for_programs.code, files == after) == (0, 0, True)
    assert shown.out.splitlines()[0] == f"1  {NOW}  Ann\\nZoë (127.0.0.1)  settings  № 0\\x1b[1m"
    assert f"whole: 6 lines, its head is {head}" in shown.out
    assert events(for_programs)[4:] == [(5, "№ 4\x1b[1m"), (6, "sixth")]
    assert json.loads(for_programs.out)["head"] == head


def test_a_trail_at_rest_is_read_without_leaving_anything(program: Program, data: Path) -> None:
    files = sorted(path.name for path in data.iterdir())
    assert program("audit").code == 0
    assert sorted(path.name for path in data.iterdir()) == files


def test_a_folder_without_a_trail_is_refused(program: Program, tmp_path: Path) -> None:
    (tmp_path / STORE_NAME).touch()
    results = [
        program("audit"),
        program("audit", "--data", "none"),
        program("audit", "--data", "."),
        program("audit", "--head", "3f"),
    ]
    assert [result.code for result in results] == [2] * 4


def test_an_empty_trail_is_whole(program: Program, tmp_path: Path) -> None:
    RecordStore(tmp_path / STORE_NAME).close()
    found = json.loads(program("audit", "--data", ".", "--head", FIRST, "--json").out)
    assert found == {"events": [], "whole": True, "head": FIRST, "first_bad": None}
