"""Which unfinished run of the same input is continued, and what is said about the others."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal.metadata import RunMetadata, SessionRecord
from bulkreact.errors import InputRefusedError
from bulkreact.models import RunState
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.partnercenter.auth.access_tokens import StaticToken
from bulkreact.runs.preparation import choose_unfinished
from bulkreact.runs.retry_selection import find_unfinished_retry
from bulkreact.runs.run_record import Run, RunRecord
from bulkreact.timestamps import iso_milliseconds

TENANT, OTHER_TENANT = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "12")
ACCESS = AuthorizedAccess(StaticToken("token", now=lambda: 0.0), TENANT, TENANT)
METADATA = RunMetadata(
    id="earlier",
    uuid="",
    version="",
    command="run",
    operator="",
    created_at=iso_milliseconds(datetime.now(UTC)),
    input_name="input.csv",
    input_sha256="",
    header=(),
    digest="rows",
    row_limit=None,
    cloud="global",
    base_url="https://api.example",
    api_version="v1",
    tenant_id=TENANT,
    simulated=False,
    from_spreadsheet=False,
)
ENDED = SessionRecord(1, 1, "", "", RunState.FINISHED, 0, "", None)
OPEN = Run.of(Path("earlier"), RunRecord(METADATA))
FINISHED = Run.of(Path("earlier"), RunRecord(METADATA, ENDED))
OLD = iso_milliseconds(datetime.now(UTC) - timedelta(days=8))


def variant(run: Run, **changes: object) -> Run:
    """Return a run with other metadata."""
    return Run.of(run.folder, replace(run.record, metadata=replace(run.metadata, **changes)))


@pytest.mark.parametrize(
    ("run", "remark"),
    [
        (variant(OPEN, tenant_id=OTHER_TENANT), f"is for the tenant {OTHER_TENANT}: this is a new run, for {TENANT}."),
        (variant(OPEN, row_limit=3), "had another --limit"),
        (FINISHED, "The same rows were run before and finished, as earlier"),
        (variant(FINISHED, row_limit=3), "The same rows were run before"),
        (variant(OPEN, digest="others"), "input.csv has changed since the unfinished run earlier"),
        (variant(OPEN, digest="others", input_name="other.csv"), ""),
        (variant(OPEN, digest="others", retry_of="first"), ""),
        (variant(FINISHED, created_at=OLD), ""),
        (variant(FINISHED, tenant_id=OTHER_TENANT), ""),
        (variant(OPEN, base_url="https://other.example"), ""),
    ],
)
def test_a_related_run_that_is_not_continued_is_worth_a_remark(run: Run, remark: str) -> None:
    chosen, text = choose_unfinished([run], METADATA, ACCESS)
    assert chosen is None
    assert remark in text
    assert bool(remark) is bool(text)


@pytest.mark.parametrize(
    "run",
    [
        OPEN,
        variant(OPEN, created_at=OLD),
        variant(OPEN, tenant_id=None),
        Run.of(FINISHED.folder, replace(FINISHED.record, has_unknown=True)),
        Run.of(FINISHED.folder, replace(FINISHED.record, has_transferred=True)),
    ],
)
def test_an_open_run_of_the_same_rows_is_continued_whatever_is_newer(run: Run) -> None:
    assert choose_unfinished([variant(OPEN, row_limit=3), FINISHED, run], METADATA, ACCESS) == (run, "")


def test_the_newest_related_run_is_the_one_remarked_on() -> None:
    older = variant(FINISHED, id="older")
    assert "as earlier" in choose_unfinished([FINISHED, older], METADATA, ACCESS)[1]


def retry_of(run_id: str, retry_id: str, run: Run = OPEN) -> Run:
    """Return a retry of a run over other rows."""
    return Run.of(
        Path(retry_id), replace(run.record, metadata=variant(run, id=retry_id, retry_of=run_id, digest="some").metadata)
    )


@pytest.mark.parametrize(
    ("retries", "chosen"),
    [
        ([retry_of("earlier", "next")], True),
        ([retry_of("next", "last"), retry_of("earlier", "next", FINISHED)], True),
        ([retry_of("earlier", "next", FINISHED)], False),
        ([retry_of("another", "next")], False),
    ],
)
def test_a_finished_run_is_repeated_unless_a_retry_of_it_is_open(retries: list[Run], *, chosen: bool) -> None:
    run, _ = choose_unfinished([*retries, FINISHED], METADATA, ACCESS)
    assert run == (FINISHED if chosen else None)


def test_an_old_run_whose_rows_a_retry_has_settled_is_repeated() -> None:
    transferred = Run.of(FINISHED.folder, replace(FINISHED.record, has_transferred=True))
    assert choose_unfinished([variant(transferred, created_at=OLD)], METADATA, ACCESS) == (None, "")


@pytest.mark.parametrize(
    ("retry", "obstacle"),
    [
        (variant(retry_of("earlier", "next"), tenant_id=OTHER_TENANT), f"is for the tenant {OTHER_TENANT}"),
        (variant(retry_of("earlier", "next"), created_at=OLD), "is more than 7 days old"),
        (variant(retry_of("earlier", "next"), row_limit=3), "had another --limit"),
    ],
)
def test_a_retry_that_only_resume_may_continue_is_named(retry: Run, obstacle: str) -> None:
    with pytest.raises(InputRefusedError, match=f"{obstacle}.* bulkreact resume next"):
        find_unfinished_retry([retry], FINISHED, Path(), ACCESS, row_limit=None)


@pytest.mark.parametrize(
    ("retry", "continued"),
    [
        (retry_of("earlier", "next"), True),
        (variant(retry_of("earlier", "next"), tenant_id=None), True),
        (retry_of("earlier", "next", FINISHED), False),
        (retry_of("another", "next"), False),
    ],
)
def test_an_unfinished_retry_of_a_run_is_continued(retry: Run, *, continued: bool) -> None:
    found = find_unfinished_retry([FINISHED, retry], FINISHED, Path(), ACCESS, row_limit=None)
    assert found == (retry if continued else None)
