"""The header of a table: the row that names most columns, wherever it is; what is wrong with it is said with its number."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from bulkreact.errors import InputRefusedError
from bulkreact.models import Kind
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.customer_ids import customer_ids
from bulkreact.sheets.input.header_search import find_header
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.missing_ids import InputWithMissingIds
from tests.support.ids import HEADER, guid, row
from tests.support.tables import Rows, Save

DATA = [("Acme", *row(guid(1))), ("Börse", *row(guid(2)))]


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(InputRefusedError) as error:
        list(InputFile(path, max_rows=100, name=path.name, options=InputOptions(**options)).rows())  # type: ignore[arg-type]
    return str(error.value)


def test_a_misspelt_header_below_a_title_is_quoted_with_its_row_and_a_suggestion(save: Save) -> None:
    message = refusal(
        save([("Reactivations of March",), (), ("customer_id", "subscription_id", "entitlment_id"), row(guid(1))])
    )
    assert ", row 3: missing in the header: entitlement_id. " in message
    assert "has: 'customer_id', 'subscription_id', 'entitlment_id'." in message
    assert message.endswith("Perhaps: --map entitlement_id=entitlment_id")
    assert "Reactivations" not in message


def test_the_only_column_of_ids_is_suggested_for_a_name_that_nobody_knows(save: Save) -> None:
    message = refusal(save([("Report",), ("Entitlement name", "customer_id", "subscription_id", "Vertrag"), *DATA]))
    assert message.endswith(
        ", row 2: missing in the header: entitlement_id. The header has: 'Entitlement name', 'customer_id', "
        "'subscription_id', 'Vertrag'. Perhaps: --map entitlement_id=Vertrag"
    )


def test_the_most_similar_header_is_suggested_also_where_damaged_cells_hide_the_columns_of_ids(
    save: Save,
) -> None:
    names = ("Kunde", "Kundenmandant-ID", "Abonnement-ID", "Berechtigungs-ID")
    message = refusal(save([names, *DATA, ("Acme", "4.892E+92", *row(guid(3))[1:])]))
    assert message.endswith("Perhaps: --map customer_id=Kundenmandant-ID")


def test_several_columns_of_ids_are_listed_and_not_guessed(save: Save) -> None:
    message = refusal(save([("Report",), (), ("Wer", "Eins", "Zwei", "Drei"), *DATA]))
    assert ", row 3: missing in the header: customer_id, subscription_id, entitlement_id. " in message
    assert (
        "Columns with nothing but ids: 'Eins', 'Zwei', 'Drei'. Say which is which: --map customer_id=HEADER" in message
    )


@pytest.mark.parametrize(
    ("typo", "suggested"), [("Kunden", "--map customer_id=Kunde"), ("nobody", "--map customer_id=Kunde")]
)
def test_a_typo_in_a_mapping_is_answered_with_the_row_and_a_suggestion(save: Save, typo: str, suggested: str) -> None:
    path = save([("Report",), (), ("Firma", "Kunde", *HEADER[1:]), *DATA])
    message = refusal(path, columns={"customer_id": typo})
    assert f", row 3: --map customer_id={typo}: no column is called that. The header has: 'Firma', 'Kunde'" in message
    assert message.endswith(f"Perhaps: {suggested}")


def test_every_other_message_about_a_header_has_its_row_too(save: Save) -> None:
    assert ", row 2: 2 columns claim to be customer_id" in refusal(save([("a",), ("Customer ID", *HEADER), *DATA]))


def test_ids_without_any_header_are_answered_with_the_line_to_add(save: Save) -> None:
    assert ", row 1: it has ids and no names. Put this line above it: customer_id," in refusal(save([row(guid(1))]))
    message = refusal(save([row(guid(1))[:2]]), kind=Kind.SUBSCRIPTION)
    assert "Put this line above it: customer_id,subscription_id (in" in message


def test_the_row_with_most_names_is_the_header_also_above_the_rows_of_a_guide(save: Save) -> None:
    path = save([HEADER, ("Fill in from row 4.",), (), (*HEADER, "kind"), (*row(guid(1)), "azure")])
    input_file = InputFile(path, max_rows=100)
    assert input_file.header == (*HEADER, "kind")
    assert [(input_row.number, input_row.problem_code) for input_row in input_file.rows()] == [(5, "")]


@pytest.mark.parametrize(
    ("above", "lost"),
    [
        ([("Kunde", "Abo", "Recht"), row(guid(7)), row(guid(8))], 2),
        ([row(guid(7)), ("", "", ""), ("x",)], 1),
        ([("Report",), ("x",), ("\n".join(row(guid(7))),)], 3),
    ],
)
def test_ids_above_the_header_are_never_passed_over(save: Save, above: Rows, lost: int) -> None:
    message = refusal(save([*above, HEADER, row(guid(1))]))
    assert f"row {lost} has ids, but stands above the row that names the columns, row 4. Put the names" in message


def test_one_id_above_the_header_is_a_title(save: Save) -> None:
    path = save([("Tenant ID", guid(9)), ("Report", "March"), HEADER, row(guid(1))])
    assert [input_row.number for input_row in InputFile(path, max_rows=100).rows()] == [4]


def test_rows_inside_a_header_cell_are_never_passed_over(save: Save) -> None:
    message = refusal(save([(*HEADER, "Note\n" + ",".join(row(guid(7)))), row(guid(1))]))
    assert "row 1 has a cell with several lines of ids: a quotation mark that opens in this row" in message


def test_a_list_of_customers_and_a_table_to_complete_follow_the_same_rule(save: Save) -> None:
    path = save([("Report",), ("Who", "subscription_id", "kunde"), (guid(1), guid(2), "x")])
    with pytest.raises(InputRefusedError, match=r", row 2: missing in the header: customer_id.*customer_id=Who$"):
        InputWithMissingIds(path, path.name, InputOptions(), text=True)
    named = InputOptions(columns={"customer_id": "Who"})
    assert InputWithMissingIds(path, path.name, named, text=True).header[:3] == ("Who", "subscription_id", "kunde")
    assert customer_ids(path, named) == [guid(1)]
    with pytest.raises(InputRefusedError, match=r"row 1 has ids, but stands above"):
        customer_ids(save([(guid(1),), ("customer_id",), (guid(2),)]), InputOptions())


def test_no_more_rows_are_read_than_the_header_needs() -> None:
    def rows() -> Iterable[tuple[int, Sequence[str]]]:
        yield from enumerate([["a title"], [], HEADER, row(guid(1))], 1)
        pytest.fail("the first row below the header is enough")

    found = find_header(rows(), HeaderRule())
    assert found
    assert (found.number, found.known, found.complete) == (3, 3, True)
