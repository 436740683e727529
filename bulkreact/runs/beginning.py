"""Describes a run before anything is sent, for people."""

from datetime import datetime, timedelta
from pathlib import Path

from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.runs.column_sums import PlannedSum
from bulkreact.runs.partner_connection import PartnerConnection
from bulkreact.wording import format_duration, plural, printable


def describe_beginning(
    metadata: RunMetadata,
    folder: Path,
    connection: PartnerConnection,
    *,
    rows: int,
    invalid: int,
    planned_sum: PlannedSum | None,
    now: datetime,
) -> str:
    """Return what a new run is about to do, a fact on each line; duplicates make the duration a little shorter."""
    access = connection.access
    where = "the simulator" if metadata.simulated else f"{metadata.base_url}/{metadata.api_version}"
    facts = {
        "Run": metadata.id,
        "Folder": str(folder),
        "Input": f"{printable(metadata.input_name)}, {plural(rows, 'row')}{f', {invalid:,} invalid' if invalid else ''}",
        "Target": f"{where}, tenant {access.tenant_id}" if access.tenant_id else where,
        "Signed in": printable(access.account),
        "Duration": _describe_duration(rows - invalid, metadata.row_limit, connection.limits.calls_per_second, now),
        "Sum": planned_sum.describe() if planned_sum else "",
    }
    return "\n".join(f"{name + ':':<10} {value}" for name, value in facts.items() if value)


def _describe_duration(rows: int, limit: int | None, calls_per_second: float | None, now: datetime) -> str:
    if calls_per_second is None:
        return "as fast as Partner Center answers"
    seconds = (rows if limit is None else min(rows, limit)) / calls_per_second
    return f"about {format_duration(seconds)}, until {now + timedelta(seconds=seconds):%H:%M:%S} UTC"
