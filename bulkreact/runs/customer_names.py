"""What the customers of a run are called, for people; names are never sent."""

from collections.abc import Iterable
from itertools import islice

from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.sheets.customer_names import customer_name_column, format_customer_name
from bulkreact.wording import plural

_SHOWN = 5


def name_column(metadata: RunMetadata) -> int | None:
    """Return the index of the cells with the names of a run's customers, None if there are none."""
    return customer_name_column(metadata.header, metadata.settings.name_header)


def customer_names(journal: JournalReader, customers: Iterable[str]) -> dict[str, str]:
    """Return the formatted names of customers by their ids, of those that have one."""
    cells = journal.customer_cells(name_column(journal.metadata), customers)
    return {customer: name for customer, cell in cells if (name := format_customer_name(cell))}


def describe_affected(journal: JournalReader) -> str:
    """Return the names of the customers with rows that did not end well, the first ones; empty if none has a name."""
    affected = journal.affected_customers()
    first = dict(islice(affected, _SHOWN))
    names = customer_names(journal, first)
    shown = [f"{names[customer]} ({plural(rows, 'row')})" for customer, rows in first.items() if customer in names]
    more = len(first) - len(shown) + sum(1 for _ in affected)
    return ", ".join([*shown, *([plural(more, "more customer")] if more else [])]) if shown else ""


def customer_label(journal: JournalReader, customer: str) -> str:
    """Return the name of a customer, or its id if it has none."""
    return format_customer_name(journal.customer_cell(name_column(journal.metadata), customer)) or customer
