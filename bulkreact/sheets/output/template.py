"""Writes an empty input file, CSV or workbook; the workbook explains on a second sheet how to fill it in."""

from pathlib import Path

from bulkreact.atomic_write import replacing
from bulkreact.sheets.columns import ID_COLUMNS
from bulkreact.sheets.input.guid_cells import EXAMPLES
from bulkreact.sheets.output.csv_writer import csv_line
from bulkreact.sheets.output.xlsx_writer import writing

_ID_WIDTH = 40
_WIDTHS = (40, 62, 78)
_EXAMPLE_COLOUR = "FFF2C2"
_COLUMNS = {
    "customer_id": (
        "Who the customer is: the id of their Microsoft Entra tenant, which Partner Center calls Microsoft ID.",
        "Customers > the customer > Account, under 'Customer account info': Microsoft ID.",
    ),
    "subscription_id": (
        "The customer's Azure plan: an id of Partner Center, not the one in the Azure portal.",
        "Customers > the customer > Subscriptions > the Azure plan. In usage and reconciliation files: SubscriptionId.",
    ),
    "entitlement_id": (
        "The Azure subscription to reactivate.",
        "In the Azure plan's list of Azure subscriptions; Subscription ID in the Azure portal. In files: EntitlementId.",
    ),
}
_RULES = (
    "Fill in the first sheet, one row for each Azure subscription, from row 2 on. Leave the names in row 1 as they are.",
    "An id is 32 digits (0-9, a-f) in five groups, with dashes between them. Copy it, do not type it.",
    "The columns are formatted as text, so that Excel leaves ids alone. In a column of your own with ids do the same.",
    "You may add other columns (customer name, ticket, note). They are copied into the results.",
    "A suspended subscription needs no entitlement_id: leave that cell empty, and write subscription into a column kind.",
    "The example below is no subscription: a row with its ids is not sent.",
)


def write_csv(path: Path) -> None:
    """Write a text file with only the column names; raises OSError if it cannot be written."""
    with replacing(path, private=False) as file:
        file.write(csv_line(ID_COLUMNS))


def write_xlsx(path: Path, *, command: str) -> None:
    """Write a workbook that names the ``command`` to run once filled in; raises OSError if it cannot be written."""
    with writing(path, private=False) as book:
        table = book.add_sheet("Subscriptions", header_rows=1)
        table.set_columns([_ID_WIDTH] * len(ID_COLUMNS), text_columns=range(len(ID_COLUMNS)))
        table.add_header(ID_COLUMNS)
        guide = book.add_sheet("How to fill this in")
        guide.set_columns(_WIDTHS)
        guide.add_header(("How to fill this in", "", ""))
        for rule in _RULES:
            guide.add_row((rule,))
        guide.add_row()
        guide.add_header(("Column", "What it is", "Where it is found in Partner Center"))
        for name, texts in _COLUMNS.items():
            guide.add_row((name, *texts), wrap=True)
        guide.add_row()
        # Without the column names above it, or this sheet would be taken for a table.
        guide.add_header(("A row of the first sheet looks like this", "", ""))
        guide.add_row(EXAMPLES, colours=(_EXAMPLE_COLOUR,))
        guide.add_row()
        guide.add_header(("What to do next", "", ""))
        for line in (
            "Save the file as it is (.xlsx), close it, and try it without sending anything real:",
            f"    {command} --simulate",
            "Then run it; it says what it is about to do and asks first:",
            f"    {command}",
        ):
            guide.add_row((line,))
