"""The column by which people know a row: found by its header, and no date or amount taken for it."""

import pytest

from bulkreact.sheets.reference_column import reference_column


@pytest.mark.parametrize(
    "name",
    [
        "Invoice", "invoice_number", "INVOICE NO.", "Order", "Purchase order", "PO number", "Reference", "Ref", "No.", "№",
        "Rechnungsnummer", "Auftrag", "Bestellnr.", "Aktenzeichen", "Numéro de facture", "Commande", "Référence",
        "N.º de factura", "Pedido", "Numero fattura", "Ordine", "Riferimento", "Fatura", "Encomenda", "Factuurnummer",
        "Bestelling", "Kenmerk", "Numer faktury", "Zamówienie", "請求書番号", "注文番号", "番号",
    ],
)  # fmt: skip
def test_what_people_call_it_in_nine_languages(name: str) -> None:
    assert reference_column(["customer_id", "Open amount", name]) == 2


@pytest.mark.parametrize(
    "name",
    [
        "Invoice date", "Invoice amount", "Order status", "Rechnungsdatum", "Rechnungsbetrag", "Rechnungsempfänger",
        "Auftraggeber", "Date de facture", "Montant de la facture", "Data faktury", "請求日", "Customer name", "note", "",
        "customer_id", "Kundennummer", "Azure subscription id", "Number of seats",
    ],
)  # fmt: skip
def test_what_is_none(name: str) -> None:
    assert reference_column([name]) is None


def test_an_invoice_tells_more_than_an_order_and_that_more_than_a_number() -> None:
    assert reference_column(["No", "Reference", "Order", "Invoice", "Invoice 2"]) == 3
    assert reference_column(["No", "Reference", "Order"]) == 2
    assert reference_column(["No", "Reference"]) == 1
