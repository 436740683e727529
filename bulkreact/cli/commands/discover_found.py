"""What a discovery makes of what was read: the file, and what people should know about it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from bulkreact.batch.discovery.listing import GONE, DiscoveryFilter
from bulkreact.batch.discovery.store import DiscoveryStore
from bulkreact.cli.commands.discover_customers import ChosenCustomers, reading, report_unread
from bulkreact.cli.commands.discover_output import reporting_write_errors, standard_output
from bulkreact.cli.options.input import form_of
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.errors import InputRefusedError
from bulkreact.models import Discovered, Kind
from bulkreact.partnercenter.paging import moment_of
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.settings import URGENT_WITHIN
from bulkreact.sheets.input.customer_ids import customer_ids
from bulkreact.sheets.output import discovery_file
from bulkreact.sheets.output.table_writer import too_large
from bulkreact.wording import plural, shell_quote


@dataclass(slots=True)
class FoundCounts:
    """What was found, by kind and status; how much is deleted for good soon, and the first of that."""

    now: datetime
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    soon: int = 0
    nearest: tuple[datetime, Discovered] | None = None

    def add(self, one: Discovered) -> None:
        """Count one row."""
        self.counts[one.kind, one.status] += 1
        moment = moment_of(one.deadline)
        if not moment or one.status.lower() in {*GONE, ACTIVE} or not self.now <= moment <= self.now + URGENT_WITHIN:
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


def discover(ctx: click.Context, out: Path | None, terminal: ConsoleReporter) -> int:
    """Read customers, write what is not active, and return the exit code."""
    given = ctx.params
    statuses = frozenset(word.strip().casefold() for word in given["status"])
    chosen = None
    if given["customers"]:
        chosen = ChosenCustomers(tuple(customer_ids(given["customers"], form_of(given))))
    elif given["customer"]:
        chosen = ChosenCustomers(tuple(dict.fromkeys(given["customer"])))
    wanted = DiscoveryFilter(given["kind"] != Kind.AZURE, given["kind"] != Kind.SUBSCRIPTION, active=ACTIVE in statuses)

    with reading(ctx, wanted, chosen, terminal) as gathering:

        def rows() -> Iterator[Discovered]:
            return (one for one in gathering.rows() if not statuses or one.status.casefold() in statuses)

        tally = FoundCounts(datetime.now(UTC))
        for one in rows():
            tally.add(one)
        _write(out, rows(), tally.counts.total())
        for line in _told(tally, gathering, given["out"]):
            terminal.info(line)
        code = report_unread(gathering)
        if not gathering.has_transient_failures:
            gathering.remove()
    return code


def _write(out: Path | None, rows: Iterable[Discovered], count: int) -> None:
    if out and (refusal := too_large(out, rows=count, columns=len(discovery_file.COLUMNS))):
        raise InputRefusedError(f"{refusal} What was read is kept: nothing is read again then.")
    with reporting_write_errors(out):
        if out:
            discovery_file.write(out, rows)
            return
        with standard_output() as file:
            discovery_file.write_lines(file, rows)


def _told(tally: FoundCounts, gathering: DiscoveryStore, shown: Path | None) -> Iterator[str]:
    total = tally.counts.total()
    read = gathering.customers - gathering.unread
    yield f"Found:   {plural(total, 'row')} of {plural(read, 'customer')}"
    for (kind, status), rows in sorted(tally.counts.items(), key=lambda item: (item[0][0], -item[1])):
        yield f"  {kind:<12}  {status or '(no status)':<12}  {rows:,}"
    if tally.nearest:
        _, one = tally.nearest
        name = " of ".join(filter(None, (one.subscription_name or one.offer or one.subscription_id, one.customer_name)))
        yield (
            f"Warning: {tally.soon:,} will be deleted for good within {URGENT_WITHIN.days} days; "
            f"the next on {one.deadline[:10]}: {name}."
        )
    if tally.gone:
        others = " ".join(f"--status {shell_quote(Path(word))}" for word in tally.others)
        yield f"Deleted or expired, and not to be brought back: {tally.gone:,}. Leave them out with {others}"
    if nameless := gathering.without_id:
        yield f"Left out, because they came without an id that could be used: {nameless:,}"
    if shown:
        yield f"Written: {shown}"
        if total:
            yield f"See what it comes to with: bulkreact plan {shell_quote(shown)}"
