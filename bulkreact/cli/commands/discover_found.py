"""What a discovery makes of what was read: the file, and what people should know about it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from bulkreact.batch.discovery.listing import GONE, Wanted
from bulkreact.batch.discovery.store import Gathering
from bulkreact.cli.commands.discover_customers import Chosen, reading, tell_not_read
from bulkreact.cli.commands.discover_output import standard_output, telling
from bulkreact.cli.options.input import form_of
from bulkreact.cli.output.console import Terminal
from bulkreact.errors import InputRefusedError
from bulkreact.models import Discovered, Kind
from bulkreact.partnercenter.paging import moment_of
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.settings import SOON
from bulkreact.sheets.input.customer_ids import customer_ids
from bulkreact.sheets.output import discovery_file
from bulkreact.sheets.output.table_writer import too_large
from bulkreact.wording import many, quoted


@dataclass(slots=True)
class Tally:
    """What was found, by kind and status; how much is deleted for good soon, and the first of that."""

    now: datetime
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    soon: int = 0
    nearest: tuple[datetime, Discovered] | None = None

    def add(self, one: Discovered) -> None:
        """Count one row."""
        self.counts[one.kind, one.status] += 1
        moment = moment_of(one.deadline)
        if not moment or one.status.lower() in {*GONE, ACTIVE} or not self.now <= moment <= self.now + SOON:
            return
        self.soon += 1
        if not self.nearest or moment < self.nearest[0]:
            self.nearest = moment, one

    @property
    def gone(self) -> int:
        """Return how many rows nobody can bring back."""
        return sum(rows for (_, status), rows in self.counts.items() if status.lower() in GONE)

    @property
    def others(self) -> list[str]:
        """Return the statuses that may be brought back."""
        words = {status for _, status in self.counts if status and status.lower() not in GONE}
        return sorted({*words, "suspended"})


def discover(ctx: click.Context, out: Path | None, terminal: Terminal) -> int:
    """Read customers, write what is not active, and return the exit code."""
    given = ctx.params
    statuses = frozenset(word.strip().casefold() for word in given["status"])
    chosen = None
    if given["customers"]:
        chosen = Chosen(tuple(customer_ids(given["customers"], form_of(given))))
    elif given["customer"]:
        chosen = Chosen(tuple(dict.fromkeys(given["customer"])))
    wanted = Wanted(given["kind"] != Kind.AZURE, given["kind"] != Kind.SUBSCRIPTION, active=ACTIVE in statuses)

    with reading(ctx, wanted, chosen, terminal) as gathering:

        def rows() -> Iterator[Discovered]:
            return (one for one in gathering.rows() if not statuses or one.status.casefold() in statuses)

        tally = Tally(datetime.now(UTC))
        for one in rows():
            tally.add(one)
        _write(out, rows(), tally.counts.total())
        for line in _told(tally, gathering, given["out"]):
            terminal.note(line)
        code = tell_not_read(gathering)
        if not gathering.passing:
            gathering.remove()
    return code


def _write(out: Path | None, rows: Iterable[Discovered], count: int) -> None:
    if out and (refusal := too_large(out, rows=count, columns=len(discovery_file.COLUMNS))):
        raise InputRefusedError(f"{refusal} What was read is kept: nothing is read again then.")
    with telling(out):
        if out:
            discovery_file.write(out, rows)
            return
        with standard_output() as file:
            discovery_file.write_lines(file, rows)


def _told(tally: Tally, gathering: Gathering, shown: Path | None) -> Iterator[str]:
    total = tally.counts.total()
    read = gathering.customers - gathering.unread
    yield f"Found:   {many(total, 'row')} of {many(read, 'customer')}"
    for (kind, status), rows in sorted(tally.counts.items(), key=lambda item: (item[0][0], -item[1])):
        yield f"  {kind:<12}  {status or '(no status)':<12}  {rows:,}"
    if tally.nearest:
        _, one = tally.nearest
        name = " of ".join(filter(None, (one.subscription_name or one.offer or one.subscription_id, one.customer_name)))
        yield (
            f"Warning: {tally.soon:,} will be deleted for good within {SOON.days} days; "
            f"the next on {one.deadline[:10]}: {name}."
        )
    if tally.gone:
        others = " ".join(f"--status {quoted(Path(word))}" for word in tally.others)
        yield f"Deleted or expired, and not to be brought back: {tally.gone:,}. Leave them out with {others}"
    if nameless := gathering.nameless:
        yield f"Left out, because they came without an id that could be used: {nameless:,}"
    if shown:
        yield f"Written: {shown}"
        if total:
            yield f"See what it comes to with: bulkreact plan {quoted(shown)}"
