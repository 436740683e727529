"""Finds the cells of a failed row that are to be corrected, and what to say beside each. No I/O."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from bulkreact.guids import find_guids
from bulkreact.models import Outcome, ResultRow, Status
from bulkreact.partnercenter.error_codes.entry import ErrorCode, Responsible
from bulkreact.partnercenter.error_codes.lookup import find_entries, lookup_outcome
from bulkreact.sheets.columns import CANDIDATES, ID_COLUMNS, KIND, RESTORE_AUTO_RENEW
from bulkreact.sheets.input.guid_cells import guid_error, is_blank
from bulkreact.sheets.input.row_checks import NO_IDS, SWAPPED_IDS
from bulkreact.sheets.input.row_errors import split_message

_CUSTOMER, _SUBSCRIPTION, _ENTITLEMENT = ID_COLUMNS
_MOST_CHOICES = 1_000
# Errors that may be in a row beside those of its ids.
_CODES = {KIND: "invalid-kind", RESTORE_AUTO_RENEW: "invalid-restore-auto-renew", CANDIDATES: "ambiguous-row"}
# What Partner Center refuses when it answers with a code; with any other it may be each of the ids.
_REFUSED = {
    "900118": (_CUSTOMER,),
    "60003": (_CUSTOMER,),
    "20003": (_SUBSCRIPTION,),
    "800111": (_ENTITLEMENT,),
    # The row is right, but comes too early.
    "27009": (),
}


class Correction(Struct, frozen=True):
    """A cell to be corrected: what is wrong with it, what to do, and the values that it may have, if they are known.

    All three are empty for the further cells of a row whose cells cannot be distinguished.
    """

    problem: str = ""
    advice: str = ""
    choices: tuple[str, ...] = ()


def find_correctable_entry(outcome: Outcome) -> ErrorCode | None:
    """Return the entry for an outcome if a change in the file may help: the row is wrong, or what it names was refused."""
    if outcome.status not in {Status.INVALID, Status.FAILED}:
        return None
    http_status = outcome.call.answer.http_status if outcome.call else None
    entry = lookup_outcome(outcome.status, http_status, outcome.code)
    return entry if entry.responsible is Responsible.FILE_AUTHOR else None


def find_corrections(row: ResultRow, columns: Mapping[str, int]) -> dict[int, Correction]:
    """Return what is to be corrected in a row, by the index of the cell; ``columns`` are those that the header names.

    It is the whole row if its message names no cell.
    """
    entry = find_correctable_entry(row.outcome)
    if entry is None or not row.cells:
        return {}
    if row.outcome.status is not Status.INVALID:
        refused = _REFUSED.get(entry.code, ID_COLUMNS)
        filled = [
            columns[column] for column in refused if column in columns and not is_blank(row.cells[columns[column]])
        ]
        return dict.fromkeys(filled, Correction(entry.description, entry.advice))
    corrections = dict(_invalid_cells(row, columns))
    if corrections:
        return corrections
    whole = Correction(row.outcome.description, entry.advice)
    return dict.fromkeys(range(len(row.cells)), Correction()) | {0: whole}


def _invalid_cells(row: ResultRow, columns: Mapping[str, int]) -> Iterator[tuple[int, Correction]]:
    outcome = row.outcome
    problems = split_message(outcome.description, (*ID_COLUMNS, *_CODES))
    if outcome.code == NO_IDS:
        problems = dict.fromkeys(ID_COLUMNS, outcome.description)
    if outcome.code == SWAPPED_IDS:
        # The id that is missing in its own column, and what is there instead.
        problems = {column: outcome.description for column in ID_COLUMNS if column in outcome.description}
    for column, problem in problems.items():
        cell = row.cells[columns[column]] if column in columns else ""
        choices = tuple(find_guids(cell)[:_MOST_CHOICES]) if column == CANDIDATES else ()
        code = outcome.code
        if code not in {SWAPPED_IDS, NO_IDS}:
            code = _CODES.get(column) or guid_error(column, cell).code
        # The list of candidates is right: what is missing is the choice.
        index = columns.get(_ENTITLEMENT if column == CANDIDATES else column)
        if index is not None:
            yield index, Correction(problem, find_entries(code)[0].advice, choices)
