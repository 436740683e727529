"""What pages and JSON say of a row, before its run and after it. No I/O."""

from collections.abc import Sequence

from msgspec import to_builtins

from bulkreact.batch.journal.row_pages import KeptRow, PageRow, RowProblem
from bulkreact.partnercenter.error_codes.lookup import lookup_outcome
from bulkreact.sheets.columns import ID_COLUMNS
from bulkreact.sheets.customer_names import customer_name_column, format_customer_name
from bulkreact.sheets.result_columns import RESULT_COLUMNS, result_cells
from bulkreact.web.jobs import WebJob
from bulkreact.web.plan_file import PlanFile
from bulkreact.web.texts import advise, name_responsible
from bulkreact.web.views import Document


def named_cells(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Return cells by their headers; later columns with an equal header get a number."""
    named: dict[str, str] = {}
    for index, cell in enumerate(cells):
        name = header[index] if index < len(header) else ""
        unique, number = name, 1
        while unique in named:
            number += 1
            unique = f"{name} ({number})"
        named[unique] = cell
    return named


def _name(header: Sequence[str], cells: Sequence[str]) -> str:
    column = customer_name_column(header)
    return format_customer_name(cells[column]) if column is not None and column < len(cells) else ""


def checked_row(row: KeptRow, plan: PlanFile) -> Document:
    """Return a row before its run; ids that are none are shown as they were given."""
    cells = named_cells(plan.header, row.cells)
    customer, subscription, entitlement = (
        found or cells.get(plan.columns.get(column) or "", "")
        for column, found in zip(ID_COLUMNS, (row.customer_id, row.subscription_id, row.entitlement_id), strict=True)
    )
    return {
        "row": row.number,
        "cells": cells,
        "customer": customer,
        "customer_name": _name(plan.header, row.cells),
        "subscription": subscription,
        "entitlement": entitlement,
        "problems": [to_builtins(problem) for problem in row.problems],
        "duplicate_of": row.duplicate_of,
        **dict.fromkeys(("status", "http_status", "code", "description", "advice", "who", "attempts")),
        **dict.fromkeys(("request_id", "correlation_id", "started_at", "finished_at")),
    }


def result_row(
    row: PageRow, header: Sequence[str], failed_file: str, problems: Sequence[RowProblem], job: WebJob | None
) -> Document:
    """Return a row with its outcome; its advice names the file in which it can be corrected, and buttons of a job."""
    result = dict(zip(RESULT_COLUMNS, result_cells(row.result, failed_file)[-len(RESULT_COLUMNS) :], strict=True))
    call = row.result.outcome.call
    http_status = call.answer.http_status if call else None
    who = lookup_outcome(row.result.outcome.status, http_status, result["error_code"]).responsible.value
    return {
        "row": row.result.number,
        "cells": named_cells(header, row.result.cells),
        "customer": row.customer_id,
        "customer_name": _name(header, row.result.cells),
        "subscription": row.subscription_id,
        "entitlement": row.entitlement_id,
        "problems": [to_builtins(problem) for problem in problems],
        "status": result["status"],
        "http_status": http_status,
        "code": result["error_code"],
        "description": result["error_description"],
        "advice": advise(result["advice"], job) if job else result["advice"],
        "who": name_responsible(who, job) if job else who,
        "attempts": row.result.outcome.attempts,
        **{name: result[name] for name in ("request_id", "correlation_id", "started_at", "finished_at")},
    }
