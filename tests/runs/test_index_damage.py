"""A damaged index hides no run: it is made anew."""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.runs import index_file
from bulkreact.runs.index import list_named_runs, list_old_runs, list_open_runs, list_related_runs, list_runs
from bulkreact.runs.index_file import INDEX_NAME
from bulkreact.runs.run_record import Run, RunRecord
from tests.runs.test_index_seals import make_run, rest
from tests.support.damage import flips
from tests.support.marks import mostly_soak
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, latest_run, run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows changes the times of folders later")
_EVERY = 307
HALTED = ("--attempts", "1", "--halt-on-failures", "50%", "--halt-after", "1", "--concurrency", "1")
_SOON = datetime(2100, 1, 1, tzinfo=UTC)


def _open_runs(reports: Path) -> Iterable[Run]:
    return [run for run in list_open_runs(reports).runs if run.can_be_resumed]


LISTINGS: dict[str, Callable[[Path], Iterable[Run]]] = {
    "all": lambda reports: list_runs(reports).runs,
    "of a digest": lambda reports: list_related_runs(reports, digest="a" * 64).runs,
    "of an input": lambda reports: list_related_runs(reports, input_name="open.csv").runs,
    "open": _open_runs,
    "old": lambda reports: list_old_runs(reports, before=_SOON).runs,
    "named": lambda reports: list_named_runs(reports, "20260301T12").runs,
}


def _records(runs: Iterable[Run]) -> dict[str, RunRecord]:
    return {run.name: replace(run.record, counts=None) for run in runs}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Make an index of an open run, one of the same rows that ended, a retry and another."""
    make_run(tmp_path, "20260301T120000Z-in-0000", digest="a" * 64)
    make_run(tmp_path, "20260301T130000Z-in-0001", digest="a" * 64, input_name="open.csv", finished=False)
    make_run(tmp_path, "20260301T140000Z-in-0002", retry_of="20260301T120000Z-in-0000")
    make_run(tmp_path, "20260301T150000Z-in-0003", created_at="2099-01-01T00:00:00.000Z")
    list_runs(tmp_path, counting=True)
    return tmp_path


@pytest.mark.parametrize("name", mostly_soak(LISTINGS))
def test_no_bit_of_an_index_changes_what_is_listed(reports: Path, name: str) -> None:
    index, listing = reports / INDEX_NAME, LISTINGS[name]
    expected = _records(listing(reports))
    assert expected
    wrong = 0
    for content in flips(index.read_bytes(), every=_EVERY):
        index.write_bytes(content)
        # Others may be listed as well: what is not known must be looked at.
        wrong += not expected.items() <= _records(listing(reports)).items()
    assert wrong == 0


def test_a_damaged_index_is_made_anew_and_used_again(reports: Path) -> None:
    index = reports / INDEX_NAME
    good = index_file.load_all(reports)
    index.write_bytes(index.read_bytes().replace(b"open.csv", b"oqen.csv"))
    assert index_file.load_all(reports).is_damaged
    list_runs(reports, counting=True)
    assert index_file.load_all(reports) == good


def test_an_unfinished_run_is_continued_whatever_the_index_says_its_rows_are(
    program: Program, partner: Partner
) -> None:
    process = run(program, partner, [1500, "a"], *HALTED)
    assert process.code == 4
    folder = latest_run(program)
    rest(folder)
    (listed,) = list_runs(folder.parent).runs
    index, digest = folder.parent / INDEX_NAME, listed.metadata.digest.encode()
    content = index.read_bytes()
    assert digest in content
    index.write_bytes(content.replace(digest, b"0" * len(digest)))
    (program.folder / "input.csv").rename(program.folder / "renamed.csv")
    again = program("run", "renamed.csv", "--base-url", partner.base_url, *FAST)
    assert f"Continuing the unfinished run {folder.name}" in again.err
