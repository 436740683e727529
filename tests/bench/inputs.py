"""Input files of any length, with sixty characters beside the ids of a row."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from xlsxwriter import Workbook

from .workspace import Workspace

_HEADER = "customer_id,subscription_id,entitlement_id,name,offer,amount\n"
CUSTOMERS = 1000
_WORKBOOK_HEADER = "customer_id,subscription_id,entitlement_id,name,offer,amount,seats,discount,date,reference,note,active,contact,total"
_FIRST_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 - cells have no zone


def guid(kind: int, number: int) -> str:
    """Return a GUID of a kind that matches no scenario of the simulator."""
    return str(UUID(int=(kind << 124) | 0x5EED_0000_4000_8000_A000_0000_0000 | number))


def customer(number: int) -> str:
    """Return the id of a customer by number."""
    return guid(1, number)


def write_input(workspace: Workspace, rows: int, *, customers: int = CUSTOMERS) -> Path:
    """Return a file of so many rows, written unless it is there already; customers take turns in it."""
    path = workspace.folder / f"input-{rows}-{customers}.csv"
    if not path.exists():
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(_HEADER)
            for number in range(rows):
                owner = number % customers
                ids = f"{customer(owner)},{guid(2, owner)},{guid(3, number)}"
                file.write(f"{ids},Müller & Söhne {number:09d},Microsoft Azure plan 0001,{number:09d}.50\n")
    return path


def write_workbook(path: Path, rows: int) -> None:
    """Write a workbook of so many rows: ids, texts, amounts, dates and truth values."""
    with Workbook(path) as book:
        sheet = book.add_worksheet()
        amount, percent, day = (
            book.add_format({"num_format": code}) for code in ("#,##0.00 [$€]", "0.0%", "dd.mm.yyyy")
        )
        sheet.write_row(0, 0, _WORKBOOK_HEADER.split(","))
        for number in range(rows):
            owner = number % CUSTOMERS
            row = number + 1
            sheet.write_row(
                row, 0, [customer(owner), guid(2, owner), guid(3, number), f"Müller & Söhne {owner}", "Azure plan"]
            )
            sheet.write_number(row, 5, number * 37 % 1_000_000 / 100, amount)
            sheet.write_number(row, 6, number % 500)
            sheet.write_number(row, 7, 0.05, percent)
            sheet.write_datetime(row, 8, _FIRST_DAY + timedelta(days=number % 300), day)
            sheet.write_row(row, 9, [f"INV-{number:07d}", "see contract" if number % 3 else "", bool(number % 2)])
            sheet.write_row(row, 12, [f"person{number % 5000}@example.com", number * 41 % 1_000_000 / 100])


def paths(source: Path) -> list[str]:
    """Return the paths that the rows of a file are posted to."""
    with source.open(encoding="utf-8") as file:
        next(file)
        ids = [line.split(",")[:3] for line in file]
    return [
        f"/v1/customers/{customer_id}/subscriptions/{subscription_id}/azureEntitlements/{entitlement_id}/reactivate"
        for customer_id, subscription_id, entitlement_id in ids
    ]
