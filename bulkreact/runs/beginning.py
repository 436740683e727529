"""Describes a run before anything is sent, for people."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs.column_sums import sum_planned
from bulkreact.settings import Limits
from bulkreact.wording import estimate_duration, plural, printable


class InputSummary(Struct, frozen=True):
    """An input that was just read: its rows, the invalid ones, and for people the sum of what is to be sent."""

    rows: int
    invalid: int
    planned_sum: str = ""


def summarize_input(draft: Path, metadata: RunMetadata, *, rows: int, invalid: int) -> InputSummary:
    """Return the summary of an input whose rows are in a draft."""
    planned = sum_planned(draft, metadata.header, metadata.settings.sum_header)
    return InputSummary(rows, invalid, planned.describe() if planned else "")


def describe_sending(
    metadata: RunMetadata,
    folder: Path,
    count: OpenCount,
    access: AuthorizedAccess,
    limits: Limits,
    read: InputSummary | None = None,
) -> str:
    """Return what a command that sends rows of a run is about to do, a fact on each line.

    ``read`` is the input if it was just read.
    """
    if not count.rows:
        return _describe(metadata, folder, access, {"To send": "nothing"}, read)
    facts = {
        "To send": f"{plural(count.rows, 'row')} of {count.whose}",
        "Duration": _describe_duration(count.calls, limits.calls_per_second),
    }
    return _describe(metadata, folder, access, facts, read)


def describe_verifying(metadata: RunMetadata, folder: Path, rows: int, access: AuthorizedAccess) -> str:
    """Return what a command that only looks at accepted rows of a run is about to do, a fact on each line."""
    return _describe(metadata, folder, access, {"To look at": plural(rows, "row") if rows else "nothing"})


def _describe(
    metadata: RunMetadata,
    folder: Path,
    access: AuthorizedAccess,
    work: Mapping[str, str],
    read: InputSummary | None = None,
) -> str:
    where = "the simulator" if metadata.simulated else f"{metadata.base_url}/{metadata.api_version}"
    facts = {
        "Run": metadata.id,
        "Origin": metadata.origin,
        "Folder": str(folder),
        "Input": printable(metadata.input_name) + (_describe_rows(read) if read else ""),
        "Target": f"{where}, tenant {access.tenant_id}" if access.tenant_id else where,
        "Signed in": printable(access.account),
        **work,
        "Sum": read.planned_sum if read else "",
    }
    return "\n".join(f"{name + ':':<11} {value}" for name, value in facts.items() if value)


def _describe_rows(read: InputSummary) -> str:
    return f", {plural(read.rows, 'row')}{f', {read.invalid:,} invalid' if read.invalid else ''}"


def _describe_duration(calls: int, calls_per_second: float | None) -> str:
    if calls_per_second is None:
        return "as fast as Partner Center answers"
    return estimate_duration(calls / calls_per_second)
