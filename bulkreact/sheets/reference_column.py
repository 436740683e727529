"""Finds the column by which people know a row, such as an invoice or order number, by its header. No I/O."""

from collections.abc import Sequence

from bulkreact.sheets.header_aliases import column_of, header_key

# The most telling first: what a header contains, in the spelling of ``header_key``.
_DOCUMENTS = (
    ("invoice", "rechnung", "facture", "factura", "fattura", "fatura", "factuur", "faktur", "請求"),
    ("order", "auftrag", "bestell", "commande", "pedido", "encomenda", "ordine", "zamowieni", "注文"),
    ("referen", "riferiment", "kenmerk", "aktenzeichen", "beleg", "vorgang", "ticket", "contract", "vertrag", "参照", "伝票"),
)  # fmt: skip
# Whole headers: they are parts of too many words.
_NUMBERS = frozenset(
    ("number", "no", "nr", "num", "ref", "po", "pono", "ponumber", "nummer", "numero", "numer", "number", "番号")
)
# Of a document, but not what it is known by.
_OTHERS = (
    "date", "datum", "data", "fecha", "日付", "請求日", "注文日",
    "amount", "betrag", "montant", "importe", "importo", "valor", "bedrag", "kwota", "金額", "total", "summe", "price", "preis",
    "prix", "precio", "prezzo", "preco", "prijs", "cena", "currency", "wahrung", "devise", "moneda", "valuta", "moeda", "waluta",
    "status", "type", "name", "address", "adresse", "mail", "empfanger", "recipient", "auftraggeber", "quantity", "menge",
)  # fmt: skip


def reference_column(header: Sequence[str]) -> int | None:
    """Return the index of the column with the most telling of such headers, None if there is none."""
    ranks = {index: rank for index, name in enumerate(header) if (rank := _rank(name)) is not None}
    return min(ranks, key=ranks.__getitem__, default=None)


def _rank(name: str) -> int | None:
    key = header_key(name)
    if column_of(name) or any(other in key for other in _OTHERS):
        return None
    if key in _NUMBERS:
        return len(_DOCUMENTS)
    return next((rank for rank, documents in enumerate(_DOCUMENTS) if any(part in key for part in documents)), None)
