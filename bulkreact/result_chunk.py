"""Rows of a run's results as the journal hands them to its files; data without decisions."""

from msgspec import Struct
from msgspec.json import Decoder

from bulkreact.models import Answer, AutoRenew, Call, Outcome, ResultRow, Status

_decode_cells = Decoder(tuple[str, ...]).decode


class PlainRow(Struct, frozen=True, gc=False):
    """A row that succeeded with a call, as it is stored: ``stored_cells`` are JSON, the words those of the models."""

    ordinal: int
    number: int
    stored_cells: bytes
    customer_id: str
    status: str
    http_status: int | None
    auto_renew: str
    attempts: int
    request_id: str
    correlation_id: str
    started_at: str
    finished_at: str

    def to_result(self) -> ResultRow:
        """Return it as any other row."""
        answer = Answer(self.http_status, "", "", business=True)
        call = Call(0, self.request_id, self.correlation_id, self.started_at, self.finished_at, answer)
        outcome = Outcome(Status(self.status), self.attempts, call, auto_renew=AutoRenew(self.auto_renew))
        return ResultRow(
            self.number,
            _decode_cells(self.stored_cells),
            outcome,
            succeeded=True,
            excluded_by_limit=False,
            customer_id=self.customer_id,
        )


class ResultChunk(Struct, frozen=True):
    """Consecutive rows: those that simply succeeded, and the ``others`` by their ordinals."""

    plain: list[PlainRow]
    others: dict[int, ResultRow]
