"""Finds the column with the names of customers by what people call it, and formats names. No I/O."""

from collections.abc import Sequence

from bulkreact.guids import canonical_guid
from bulkreact.sheets.columns import find_by_name
from bulkreact.sheets.header_aliases import header_key
from bulkreact.wording import printable

_LENGTH = 80
_NAMES = (
    "customer_name", "customer company name", "company name", "client name", "end customer name", "end customer company",
    "customer organization name", "customer organisation name", "organization name", "organisation name", "name of customer",
    "Kundenname", "Name des Kunden", "Firmenname", "Name der Firma", "Endkundenname", "Kundenbezeichnung",
    "nom du client", "nom client", "nom de la société", "nom de l'entreprise", "raison sociale",
    "nombre del cliente", "nombre de cliente", "nombre cliente", "nombre de la empresa", "razón social",
    "nome cliente", "nome del cliente", "nome azienda", "nome dell'azienda", "ragione sociale",
    "nome do cliente", "nome de cliente", "nome da empresa", "razão social",
    "klantnaam", "naam van klant", "naam klant", "naam van de klant", "bedrijfsnaam",
    "nazwa klienta", "nazwa firmy", "nazwa przedsiębiorstwa",
    "顧客名", "お客様名", "会社名", "顧客会社名",
)  # fmt: skip
# Such a column may as well have numbers or short names: one with a header from above is preferred.
_VAGUE_NAMES = (
    "customer", "client", "end customer", "company", "organization", "organisation",
    "Kunde", "Endkunde", "Firma", "Unternehmen", "société", "entreprise", "cliente", "empresa", "azienda", "società",
    "klant", "bedrijf", "klient", "przedsiębiorstwo", "顧客", "お客様", "会社", "取引先",
)  # fmt: skip
_RANKS = {header_key(name): rank for rank, names in enumerate((_NAMES, _VAGUE_NAMES)) for name in names}


def customer_name_column(header: Sequence[str], chosen: str = "") -> int | None:
    """Return the index of the column with the names of customers, None if there is none.

    It is the ``chosen`` one if there is one, else the first whose header says so.
    """
    if indexes := find_by_name(header, chosen):
        return indexes[0]
    ranks = {index: _RANKS[key] for index, name in enumerate(header) if (key := header_key(name)) in _RANKS}
    return min(ranks, key=ranks.__getitem__, default=None)


def format_customer_name(cell: str) -> str:
    """Return the name in a cell on one line, without controls and not too long; empty if the cell has no name."""
    name = printable(" ".join(cell.split()))
    if canonical_guid(name):
        return ""
    return name if len(name) <= _LENGTH else f"{name[: _LENGTH - 1]}…"
