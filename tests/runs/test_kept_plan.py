"""A folder that a plan is kept in has a whole one at every moment, however many processes keep theirs in it."""

from pathlib import Path
from unittest.mock import patch

from bulkreact.batch.journal import text_search
from bulkreact.batch.journal.journal import create
from bulkreact.batch.journal.kept_rows import KeptRows
from bulkreact.runs.kept_plan import KeptPlan, keeping_plan
from tests.batch.journal.test_journal import valid


def fill(kept: KeptPlan, rows: int) -> None:
    """Read so many rows for a plan."""
    create(kept.draft, [valid(number) for number in range(2, 2 + rows)])
    kept.store_problems()


def count_rows(folder: Path) -> int:
    """Return how many rows the kept plan has."""
    with KeptRows(folder) as rows:
        return len(rows.page("all", code="", customer="", text="", after=0, limit=100))


def test_two_processes_keep_a_plan_in_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / ".plan.draft-dead").mkdir()
    with keeping_plan(tmp_path) as first:
        fill(first, 3)
        with keeping_plan(tmp_path) as second:
            fill(second, 2)
            second.publish(["{}"])
            counts = [count_rows(tmp_path)]
        first.publish(["{}"])
        counts.append(count_rows(tmp_path))
    assert counts == [2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.json", "rows.sqlite3"]


def test_rows_of_a_kept_plan_are_found_by_any_part_of_their_cells(tmp_path: Path) -> None:
    with keeping_plan(tmp_path) as kept:
        fill(kept, 3)
        kept.publish(["{}"])
    with KeptRows(tmp_path) as rows, patch.object(text_search, "_BLOCK", 1):
        pages = [
            rows.page("sent", code="", customer="", text=text, after=1, limit=1) for text in ("5EED", "=X", "dead")
        ]
    assert [[row.ordinal for row in page] for page in pages] == [[2], [2], []]
