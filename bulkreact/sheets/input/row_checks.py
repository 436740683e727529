"""Decides what is wrong with one row of an input, and what an earlier run recorded for it. No I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.guids import canonical_guid
from bulkreact.models import Kind, Operation, Status, Target
from bulkreact.partnercenter.error_codes.local_codes import UNREADABLE
from bulkreact.partnercenter.request_ids import may_prove, proven_operation
from bulkreact.sheets.columns import ID_COLUMNS, ColumnLayout
from bulkreact.sheets.input import guid_cells
from bulkreact.sheets.input.row_errors import CellError
from bulkreact.sheets.input.row_options import UNCLEAR, RowOptionsReader

NO_IDS = "no-ids"
RAGGED_ROW = "ragged-row"
SWALLOWED_ROWS = "swallowed-rows"
SWAPPED_IDS = "swapped-ids"
_PROVEN_SWAP = re.compile(r"(\w+_id) is also the (\w+_id) of .*: '([0-9a-f-]{36})' \(it belongs there\)", re.ASCII)
_NOT_BUSINESS = {"", "401", "408", "429"}


class EarlierCall(Struct, frozen=True):
    """The last call of a row in its results file; ``request_id`` is empty if it must not be reused.

    ``is_unproven``: the id would be reused if it proved to belong to the row's target.
    """

    request_id: str = ""
    is_read: bool = False
    outcome_unknown: bool = False
    is_unproven: bool = False


_NO_CALL = EarlierCall()


def find_errors(cells: Sequence[str], guids: Sequence[str], reader: RowOptionsReader, *, width: int) -> list[CellError]:
    """Return what is wrong with a row; ``guids`` are its ids normalized, empty if unusable.

    | the row | is refused for |
    |---|---|
    | has text behind the ``width`` of the header | ragged-row, and nothing else |
    | has no ids | no-ids, and nothing else |
    | has an unclear kind, or is a subscription | unusable customer and subscription ids, bad options |
    | is an Azure subscription | unusable ids of all three columns, bad options |
    | was refused for swapped ids | an id that is still in the wrong column |
    """
    if extra := [cell for cell in cells[width:] if cell.strip()]:
        surplus = ", ".join(map(repr, extra))
        return [CellError(RAGGED_ROW, "", surplus, f"the row has more cells than the header; surplus: {surplus}")]
    ids = ["" if index is None else cells[index] for index in reader.layout.ids]
    if all(map(guid_cells.is_blank, ids)):
        return [CellError(NO_IDS, "", "", "the row has content but no ids")]
    option_errors = reader.find_errors(cells)
    unclear = any(error.code in UNCLEAR for error in option_errors)
    needs_entitlement = not unclear and reader.kind(cells) is Kind.AZURE
    needed = list(zip(ID_COLUMNS, ids, guids, strict=True))[: None if needs_entitlement else 2]
    unusable = (guid_cells.guid_error(column, cell) for column, cell, guid in needed if not guid)
    return [*unusable, *option_errors, *_find_swapped(cells, guids, reader.layout)]


def _find_swapped(cells: Sequence[str], guids: Sequence[str], layout: ColumnLayout) -> Iterator[CellError]:
    """Yield an id that an earlier run found in the wrong column, if it is still there.

    The rows that proved it are no longer in the file when only the failed ones are run again.
    """
    if not layout.results or cells[layout.results["error_code"]].strip() != SWAPPED_IDS:
        return
    match = _PROVEN_SWAP.fullmatch(cells[layout.results["error_description"]].strip())
    if match and match[3] in {guid for column, guid in zip(ID_COLUMNS, guids, strict=True) if column == match[1]}:
        reason = f"is also the {match[2]} of rows of the run before: it belongs there"
        yield CellError(SWAPPED_IDS, match[1], match[3], reason)


def find_cut_off(cells: int, layout: ColumnLayout) -> CellError | None:
    """Return what is wrong with a last row that ends after some ``cells``, None if the others do not matter."""
    needed = max(index or 0 for index in (*layout.ids, *layout.optional.values(), *layout.results.values()))
    if needed < cells:
        return None
    ending = "" if cells == 1 else "s"
    reason = (
        f"the file ends within this row, after {cells} cell{ending} and without a line end: it was probably cut off"
    )
    return CellError(RAGGED_ROW, "", "", reason)


def find_swallowed(cells: Sequence[str], layout: ColumnLayout) -> CellError | None:
    """Return what is wrong with a row if one of its cells holds other rows: nothing else matters then."""
    for index, cell in enumerate(cells):
        if guid_cells.holds_rows(cell):
            names = dict(zip(layout.carried_columns, layout.header, strict=True))
            reason = "holds several lines of ids: a quotation mark that opens in this row closes rows later"
            remedy = "Delete or double it in the original file"
            return CellError(SWALLOWED_ROWS, names.get(index, f"cell {index + 1}"), cell, reason, remedy)
    return None


def explain_merged(errors: Sequence[CellError], ranges: Mapping[str, str]) -> list[CellError]:
    """Return the errors; for ids that are missing because their cells are merged, they say so.

    ``ranges`` are the merged cells by id column, for example ``A2:A5``.
    """
    if not ranges:
        return list(errors)
    explained = []
    for error in errors:
        if error.column in ranges and error.code.startswith("missing-"):
            remedy = f"Unmerge {ranges[error.column]} and fill in every cell"
            explained.append(replace(error, reason=f"{error.reason}: the cell is merged with others", remedy=remedy))
        elif error.code == NO_IDS:
            merged = " and ".join(dict.fromkeys(ranges.values()))
            explained.append(replace(error, reason=f"{error.reason}: its cells are merged, {merged}; unmerge them"))
        else:
            explained.append(error)
    return explained


def earlier_call(layout: ColumnLayout, cells: Sequence[str], target: Target) -> EarlierCall:
    """Return a row's last call from a results file.

    Its request id is reused unless a business answer ended it, and only if it proves to belong to the target: a service
    would answer the id of another target with that one's outcome.

    | the request id                    | is reused        | an unknown outcome        |
    |-----------------------------------|------------------|---------------------------|
    | proves to belong to the target    | while open-ended | is the target's           |
    | is of an earlier version, or none | no               | may be the target's       |
    | belongs to another target or call | no               | is another target's       |
    """
    if not layout.results:
        return _NO_CALL
    cell, status, http_status, code = (
        cells[layout.results[name]].strip() for name in ("request_id", "status", "http_status", "error_code")
    )
    request_id = canonical_guid(cell)
    operation = proven_operation(request_id, target) if may_prove(request_id) else None
    # A proxy's page is no answer, whatever its status.
    open_ended = http_status in _NOT_BUSINESS or http_status[:1] in {"3", "5"} or code == UNREADABLE
    return EarlierCall(
        request_id if open_ended and operation else "",
        is_read=open_ended and operation is Operation.GET_SUBSCRIPTION,
        outcome_unknown=status == Status.UNKNOWN and (operation is not None or not may_prove(request_id)),
        is_unproven=open_ended and bool(cell) and operation is None,
    )
