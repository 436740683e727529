"""Which rows lack an entitlement id, and where what is found for them goes."""

import pytest

from bulkreact.sheets.columns import ColumnError
from bulkreact.sheets.input.missing_ids import CompletionLayout, completion_layout
from tests.support.ids import guid

C, S, E = guid(1), guid(2), guid(3)


@pytest.mark.parametrize(
    ("header", "layout"),
    [
        (("customer_id", "subscription_id"), CompletionLayout(0, 1, 2, 3, None, 2, ("entitlement_id", "candidates"))),
        (("entitlement_id", "customer_id", "subscription_id"), CompletionLayout(1, 2, 0, 3, None, 3, ("candidates",))),
        (("customer_id", "subscription_id", "candidates"), CompletionLayout(0, 1, 3, 2, None, 3, ("entitlement_id",))),
        (
            ("customer_id", "subscription_id", "entitlement_id", "Kind", "Candidates"),
            CompletionLayout(0, 1, 2, 4, 3, 5, ()),
        ),
        (
            ("customer_id", "subscription_id", "kind", "kind", "entitlement_id", "candidates", "candidates"),
            CompletionLayout(0, 1, 4, 6, None, 7, ()),
        ),
    ],
)
def test_columns_that_are_missing_come_behind_all_others(header: tuple[str, ...], layout: CompletionLayout) -> None:
    assert completion_layout(header, {}) == layout


def test_a_header_without_customers_is_refused() -> None:
    with pytest.raises(ColumnError, match="missing in the header: customer_id or subscription_id"):
        completion_layout(("subscription_id", "note"), {})


@pytest.mark.parametrize(
    ("entitlement", "kind", "surplus", "missing"),
    [
        ("", "", (), True),
        ("\u200b ", " Azure ", ("", " "), True),
        ("x", "", (), False),
        (E, "", (), False),
        ("", "subscription", (), False),
        ("", "", ("x",), False),
    ],
)
def test_an_id_is_missing_where_an_azure_row_has_none(
    entitlement: str, kind: str, surplus: tuple[str, ...], missing: bool
) -> None:
    layout = completion_layout(("customer_id", "subscription_id", "entitlement_id", "kind"), {})
    row = layout.complete_row(2, (C, S, entitlement, kind, *surplus), C, S)
    assert row.parent_ids == ((C, S) if missing else None)
    assert row.cells == (C, S, entitlement, kind, "", *(cell for cell in surplus if cell.strip()))


@pytest.mark.parametrize("ids", [("", S), (C, "")])
def test_without_both_ids_nothing_can_be_looked_up(ids: tuple[str, str]) -> None:
    layout = completion_layout(("customer_id", "subscription_id"), {})
    assert layout.complete_row(2, ("x", "y"), *ids).parent_ids is None
