"""The lines of the audit trail, each of which has the hash of the one before it. No I/O."""

import json
from hashlib import sha256

from msgspec import Struct

FIRST = "0" * 64


class AuditLine(Struct, frozen=True, array_like=True):
    """One line of the trail; neither cells nor ids, only a job's number."""

    number: int
    at: str
    person_id: str
    person: str
    address: str
    job: int | None
    version: int | None
    event: str
    detail: str


def chain_hash(before: str, line: AuditLine) -> str:
    """Return the hash of a line after a line with the hash ``before``."""
    values = [getattr(line, name) for name in AuditLine.__struct_fields__]
    content = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return sha256(f"{before}{content}".encode("utf-8", "surrogatepass")).hexdigest()
