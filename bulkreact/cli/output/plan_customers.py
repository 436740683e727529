"""The customers of a plan with the most rows, by name, and the amounts at stake."""

from collections.abc import Iterator
from itertools import islice

from bulkreact.batch.journal.preview import customer_cells, rows_per_customer
from bulkreact.cli.output.plan_json import PlanDocument
from bulkreact.sheets.customer_names import format_customer_name
from bulkreact.wording import plural

_CUSTOMERS_SHOWN = 10


def sum_lines(document: PlanDocument) -> Iterator[str]:
    """Yield the total of the rows to be sent, and what is not in it; or why there is none."""
    if document.planned_sum:
        yield f"Sum:       {document.planned_sum.describe()}"


def customer_lines(document: PlanDocument) -> Iterator[str]:
    """Yield the customers with the most rows: the rows, the amount and the name of each."""
    plan = document.plan
    if plan.customers > 1:
        yield "Most rows:"
    elif plan.customers and document.name_column is not None:
        yield "Customer:"
    else:
        return
    largest = list(islice(rows_per_customer(document.folder), _CUSTOMERS_SHOWN))
    customers = [customer for customer, _ in largest]
    names = {
        customer: name
        for customer, cell in customer_cells(document.folder, document.name_column, customers)
        if (name := format_customer_name(cell))
    }
    columns = [[f"{rows:,}" for _, rows in largest]]
    if (planned := document.planned_sum) and not planned.amounts.problem:
        totals = dict(planned.per_customer(customers))
        columns.append([planned.amounts.format(totals[customer]) for customer in customers])
    cells = [[cell.rjust(max(map(len, column))) for cell in column] for column in columns]
    for customer, *numbers in zip(customers, *cells, strict=True):
        label = f"{names[customer]} ({customer})" if customer in names else customer
        yield "  ".join(("", *numbers, label))
    if (more := plan.customers - len(customers)) > 0:
        yield f"  … and {plural(more, 'more customer')}"
