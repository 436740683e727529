"""The rows that need attention, as the report lists them. No I/O."""

from msgspec import Struct

from bulkreact.models import ResultRow, Status
from bulkreact.sheets.customer_names import format_customer_name
from bulkreact.sheets.result_columns import RESULT_COLUMNS, result_cells

ROWS_LISTED = 2000
_REFERENCE_LENGTH = 60
_DESCRIPTION_LENGTH = 300
_ADVICE = RESULT_COLUMNS.index("advice")


class KnownColumns(Struct, frozen=True):
    """What people know rows by: the indexes of the columns with customers' names and with references, and its header."""

    name: int | None = None
    reference: int | None = None
    reference_header: str = ""


class AttentionRow(Struct, frozen=True):
    """A row that needs attention.

    ``customer`` and ``reference`` are what people know it by, empty if the input does not say. ``code`` is the status if
    there is no code, ``meaning`` what is known of it, ``description`` what the answer or the check said.
    """

    number: int
    customer: str
    customer_id: str
    reference: str
    status: Status
    code: str
    meaning: str
    description: str
    advice: str


def attention_row(row: ResultRow, meaning: str, columns: KnownColumns, failed_file: str) -> AttentionRow:
    """Return a row as the report lists it."""
    outcome = row.outcome
    return AttentionRow(
        row.number,
        format_customer_name(_cell(row, columns.name)),
        row.customer_id,
        _shorten(" ".join(_cell(row, columns.reference).split()), _REFERENCE_LENGTH),
        outcome.status,
        outcome.code or outcome.status,
        meaning,
        _shorten(outcome.description, _DESCRIPTION_LENGTH),
        result_cells(row, failed_file)[len(row.cells) + _ADVICE],
    )


def _cell(row: ResultRow, column: int | None) -> str:
    return row.cells[column] if column is not None and column < len(row.cells) else ""


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
