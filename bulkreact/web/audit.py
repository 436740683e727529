"""The lines of the audit trail, each of which has the hash of the one before it. No I/O."""

import json
from hashlib import sha256

from msgspec import Struct

FIRST = "0" * 64
# What lines say, and nobody else in them, after which a job waits for a second person.
WAITS = "waits for approval"
LEADS_TO_WAITING = frozenset({"submitted", "expired", "retried"})


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


class ChainedLine(Struct, frozen=True):
    """A line as it is stored: with the hash of the line before it and its own."""

    line: AuditLine
    before: str
    hash: str


class ChainCheck:
    """Follows the chain from its first line on; ``first_bad`` is the number at which it is broken first."""

    def __init__(self, known_head: str = "") -> None:
        self.head = FIRST
        self.count = 0
        self.first_bad: int | None = None
        self._had_known_head = False
        self.next_number = 1
        self._known_head = known_head

    @property
    def has_known_head(self) -> bool:
        """Return whether the known head was one of this trail; zeros are that of a trail without lines alone."""
        return self._had_known_head or self._known_head in {"", self.head}

    @property
    def is_whole(self) -> bool:
        """Return whether nothing of the trail was changed, as far as the known head reaches."""
        return self.first_bad is None and self.has_known_head

    def add(self, stored: ChainedLine) -> None:
        """Check the next line."""
        line = stored.line
        follows = line.number == self.next_number and stored.before == self.head
        if not follows or stored.hash != chain_hash(self.head, line):
            self.break_off(line.number)
        self.count += 1
        self.head, self.next_number = stored.hash, line.number + 1
        self._had_known_head |= stored.hash == self._known_head

    def break_off(self, number: int | None = None) -> None:
        """Note that the chain is broken here, at the latest at a line that has been read."""
        if self.first_bad is None:
            self.first_bad = self.next_number if number is None else min(number, self.next_number)


def chain_hash(before: str, line: AuditLine) -> str:
    """Return the hash of a line after a line with the hash ``before``."""
    values = [getattr(line, name) for name in AuditLine.__struct_fields__]
    content = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return sha256(f"{before}{content}".encode("utf-8", "surrogatepass")).hexdigest()
