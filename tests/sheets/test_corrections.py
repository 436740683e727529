"""The cells of a failed row that are to be corrected: every kind of failure names its own."""

import pytest

from bulkreact.models import Answer, Call, Outcome, ResultRow, Status
from bulkreact.sheets.corrections import Correction, find_corrections
from tests.support.ids import AT, guid, row

NAMES = ("customer_id", "subscription_id", "entitlement_id", "kind", "restore_auto_renew", "candidates")
COLUMNS = {name: index for index, name in enumerate(NAMES, 1)}
IDS = row(guid(1))
CHOICES = (guid(8), guid(9))


def failed(code: str, http_status: int = 404, *, ids: tuple[str, ...] = IDS) -> ResultRow:
    answer = Answer(http_status, code, "in the service's words", business=True)
    outcome = Outcome(Status.FAILED, 1, Call(1, guid(6), guid(7), AT, AT, answer), code, answer.description)
    return ResultRow(2, ("Contoso", *ids, "", "", ""), outcome, succeeded=False, excluded_by_limit=False)


def invalid(code: str, problem: str, candidates: str = "") -> ResultRow:
    outcome = Outcome(Status.INVALID, 0, None, code, problem)
    cells = ("Contoso", *IDS, "", "", candidates)
    return ResultRow(2, cells, outcome, succeeded=False, excluded_by_limit=False)


def marked(row: ResultRow) -> set[str]:
    """Return the names of the columns whose cells are to be corrected."""
    return {NAMES[index - 1] if index else "Kunde" for index in find_corrections(row, COLUMNS)}


@pytest.mark.parametrize(
    ("row", "names"),
    [
        (failed("800111"), {"entitlement_id"}),
        (failed("20003"), {"subscription_id"}),
        (failed("60003"), {"customer_id"}),
        (failed("900118", 400), {"customer_id"}),
        (failed("http-404"), {"customer_id", "subscription_id", "entitlement_id"}),
        (failed("1000", ids=(*IDS[:2], "")), {"customer_id", "subscription_id"}),
        (failed("27009", 409), set()),
        (failed("900121", 403), set()),
        (failed("800003", 500), set()),
        (
            invalid("swapped-ids", "subscription_id is also the customer_id of row 3: it belongs there"),
            {"subscription_id", "customer_id"},
        ),
        (invalid("missing-customer-id", "customer_id is empty; kind is no kind: 'x' (a. b)"), {"customer_id", "kind"}),
        (invalid("no-ids", "the row has content but no ids"), set(NAMES[:3])),
        (invalid("ambiguous-row", "candidates are several: 'a' (none)"), {"entitlement_id"}),
        (invalid("ragged-row", "the row has more cells than the header; surplus: 'x'"), {"Kunde", *NAMES}),
    ],
)
def test_every_failure_names_its_cells(row: ResultRow, names: set[str]) -> None:
    assert marked(row) == names


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.FAILED, Status.INVALID}))
def test_rows_that_nothing_is_wrong_with_have_none(status: Status) -> None:
    outcome = Outcome(status, 0, None, "", "customer_id is empty")
    assert find_corrections(ResultRow(2, ("", *IDS), outcome, succeeded=False, excluded_by_limit=False), COLUMNS) == {}


def test_each_cell_has_its_own_problem_and_advice() -> None:
    problem = (
        "entitlement_id is not a GUID: '1E+9' (Excel changed it); restore_auto_renew is not understood: 'a' (b. c)"
    )
    row = invalid("damaged-by-excel", problem)
    row = ResultRow(2, ("", *IDS[:2], "1E+9", "", "a", ""), row.outcome, succeeded=False, excluded_by_limit=False)
    assert find_corrections(row, COLUMNS) == {
        3: Correction(
            "entitlement_id is not a GUID: '1E+9' (Excel changed it)",
            "Format the column as text, paste the id again in failed.csv and run that file.",
        ),
        5: Correction(
            "restore_auto_renew is not understood: 'a' (b. c)", "Correct the cell in failed.csv and run that file."
        ),
    }


def test_candidates_are_choices_for_the_entitlement() -> None:
    row = invalid("ambiguous-row", "candidates are several: …", f"{CHOICES[0]} (Dev, x); {CHOICES[1]} (Test, x)")
    assert find_corrections(row, COLUMNS)[COLUMNS["entitlement_id"]].choices == CHOICES


def test_choices_have_an_end() -> None:
    row = invalid("ambiguous-row", "candidates are several: …", "; ".join(map(guid, range(20_000))))
    assert len(find_corrections(row, COLUMNS)[COLUMNS["entitlement_id"]].choices) == 1_000


def test_a_column_that_is_missing_leaves_the_row_to_be_marked() -> None:
    row = invalid("missing-entitlement-id", "entitlement_id is empty")
    columns = {name: index for name, index in COLUMNS.items() if name != "entitlement_id"}
    corrections = find_corrections(row, columns)
    assert corrections.keys() == set(range(len(row.cells)))
    assert [index for index, correction in corrections.items() if correction.problem] == [0]
