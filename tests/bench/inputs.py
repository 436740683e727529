"""Input files of any length, with sixty characters beside the ids of a row."""

from pathlib import Path
from uuid import UUID

from .workspace import Workspace

_HEADER = "customer_id,subscription_id,entitlement_id,name,offer,amount\n"
CUSTOMERS = 1000


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


def paths(source: Path) -> list[str]:
    """Return the paths that the rows of a file are posted to."""
    with source.open(encoding="utf-8") as file:
        next(file)
        ids = [line.split(",")[:3] for line in file]
    return [
        f"/v1/customers/{customer_id}/subscriptions/{subscription_id}/azureEntitlements/{entitlement_id}/reactivate"
        for customer_id, subscription_id, entitlement_id in ids
    ]
