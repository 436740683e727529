"""Made-up ids, metadata and files for tests."""

import csv
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from bulkreact.batch.journal.metadata import RunMetadata, RunSettings
from bulkreact.models import Target

AT = "2026-03-01T12:00:00.000Z"
HEADER = ("customer_id", "subscription_id", "entitlement_id")
# The numbers of the token service's errors, as the API page lists them; the last seven are transient.
AADSTS = [
    "7000215",
    "7000222",
    "700027",
    "700016",
    "90002",
    "900382",
    "900432",
    "90038",
    "500011",
    "650057",
    "65001",
    "700082",
    "70008",
    "70043",
    "50173",
    "70000",
    "50076",
    "50079",
    "50078",
    "50074",
    "53003",
    "50057",
    "50033",
    "90006",
    "90012",
    "90024",
    "90033",
    "90090",
    "90055",
]


def guid(number: int) -> str:
    """Return a GUID that names no scenario of the simulator: its last group begins with a letter."""
    return str(UUID(int=0x5EED0000_0000_4000_8000_A00000000000 + number))


def scenario_id(tail: int, number: int = 0) -> str:
    """Return an entitlement id whose last twelve digits name a scenario."""
    return f"{0xFA7E0000 + number:08x}-0000-4000-8000-{tail:012d}"


def target(entitlement_id: str, customer: int = 1) -> Target:
    """Return a target of a customer by number."""
    return Target(guid(1000 + customer), guid(2000 + customer), entitlement_id)


def row(entitlement_id: str, customer: int = 1) -> tuple[str, str, str]:
    """Return the ids of a target as the cells of a row."""
    ids = target(entitlement_id, customer)
    return ids.customer_id, ids.subscription_id, ids.entitlement_id


def write_csv(path: Path, rows: Iterable[Iterable[str]], header: Iterable[str] = HEADER) -> Path:
    """Write an input file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a results file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def metadata(**changes: object) -> RunMetadata:
    """Return the metadata of a made-up run."""
    values: dict[str, object] = {
        "id": "20260301T120000Z-test-0000",
        "uuid": guid(77),
        "version": "1",
        "command": "run",
        "operator": "operator",
        "created_at": AT,
        "input_name": "test.csv",
        "input_sha256": "0" * 64,
        "header": ("customer_id", "subscription_id", "entitlement_id"),
        "digest": "1" * 64,
        "row_limit": None,
        "cloud": "global",
        "base_url": "https://partner.example",
        "api_version": "v1",
        "tenant_id": None,
        "simulated": False,
        "from_spreadsheet": False,
        "settings": RunSettings(certified_ids=True),
    }
    return RunMetadata(**{**values, **changes})  # type: ignore[arg-type]
