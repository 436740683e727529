"""The rows that a search has found: a file as ``bulkreact discover`` writes it, read a page at a time."""

import csv
from collections.abc import Container, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.discovery.listing import GONE
from bulkreact.models import Discovered
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.settings import URGENT_WITHIN
from bulkreact.sheets.formula_guard import unguard
from bulkreact.sheets.output import discovery_file
from bulkreact.timestamps import parse_time

_LONGEST_CELL = 1 << 30


class FoundSummary(Struct, frozen=True):
    """What is said of all rows: ``gone`` are deleted or expired, the others may have a deadline."""

    rows: int = 0
    gone: int = 0
    soonest: str | None = None
    within_14_days: int = 0


def read_found(path: Path, *, after: int = 0, limit: int | None = None) -> Iterator[tuple[int, Discovered]]:
    """Yield rows with their numbers, which begin with 1."""
    csv.field_size_limit(_LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        numbered = enumerate(csv.reader(file))
        for number, cells in islice(numbered, after + 1, None if limit is None else after + 1 + limit):
            yield number, Discovered(*map(unguard, cells))


def write_chosen(path: Path, target: Path, numbers: Container[int] | None) -> None:
    """Write the rows with certain numbers, or all, as another such file."""
    discovery_file.write(target, (row for number, row in read_found(path) if numbers is None or number in numbers))


def is_urgent(row: Discovered, now: datetime) -> bool:
    """Return whether a row will soon be deleted for good."""
    deadline = _coming_deadline(row, now)
    return deadline is not None and deadline <= now + URGENT_WITHIN


def _coming_deadline(row: Discovered, now: datetime) -> datetime | None:
    """Return until when a row can be reactivated, None if that is not known, or it need not or cannot be."""
    deadline = parse_time(row.deadline)
    return deadline if row.status.lower() not in {*GONE, ACTIVE} and deadline and deadline >= now else None


def summarize_found(path: Path, now: datetime) -> FoundSummary:
    """Read all rows once, and return what is said of them."""
    rows = gone = within = 0
    soonest: str | None = None
    for _, row in read_found(path):
        rows += 1
        gone += row.status.lower() in GONE
        deadline = _coming_deadline(row, now)
        if deadline is None:
            continue
        within += deadline <= now + URGENT_WITHIN
        soonest = min(soonest or row.deadline, row.deadline)
    return FoundSummary(rows, gone, soonest, within)
