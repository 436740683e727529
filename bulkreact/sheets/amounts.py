"""Reads amounts of money as people write them, exactly; what can mean two numbers is never guessed. No I/O."""

import re
import unicodedata
from collections.abc import Iterable
from decimal import Context, Decimal

from msgspec import Struct

from bulkreact.models import TypedCell

# What is longer is no amount.
_LENGTH = 40
EXACT = Context(prec=100)
# Excel shows no more digits, and stores what 0.1 + 0.2 comes to with 17.
_STORED = Context(prec=15)
_PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
# The minus and the apostrophe of typographers.
_MARKS = str.maketrans("\u2212\u2019", "-'")
_GROUPED = r"[1-9][0-9]{{0,2}}(?:(?P<mark>[ '{group}])[0-9]{{3}})(?:(?P=mark)[0-9]{{3}})*"
_NUMBER = r"(?:[0-9]+|{grouped}{other})(?:{decimal}[0-9]+)?|{decimal}[0-9]+"
_INDIAN = "|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}"
_WITH_POINT = re.compile(_NUMBER.format(grouped=_GROUPED.format(group=","), decimal=r"\.", other=_INDIAN))
_WITH_COMMA = re.compile(_NUMBER.format(grouped=_GROUPED.format(group="."), decimal=",", other=""))
_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KES KRW MAD MXN MYR NGN NOK "
    "NZD PEN PHP PLN RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
)
_SYMBOLS = (
    "EUR=€ GBP=£ USD=us$ AUD=a$ CAD=c$ BRL=r$ PLN=zł CZK=kč HUF=ft RON=lei JPY=円 CNY=元 INR=₹ KRW=₩ ILS=₪ TRY=₺ CHF=fr. "
    "CHF=sfr."
)
# Several countries have these.
_SHARED_SYMBOLS = "$ ¥ kr kr. fr rs rs."
_CURRENCIES = {
    **{code.casefold(): code for code in _CODES.split()},
    **{symbol: code for code, _, symbol in (pair.partition("=") for pair in _SYMBOLS.split())},
    **{symbol: symbol.rstrip(".") for symbol in _SHARED_SYMBOLS.split()},
}
_CURRENCY = "|".join(map(re.escape, sorted(_CURRENCIES, key=len, reverse=True)))
_AMOUNT = re.compile(
    rf"(?P<open>\()?(?P<sign>[-+]?) *(?P<before>{_CURRENCY})? *(?P<inner>[-+]?) *(?P<number>[0-9.,' ]+?)"
    rf" *(?P<behind>-?) *(?P<after>{_CURRENCY})?(?P<last>-?)(?P<close>\))?",
    re.IGNORECASE,
)
_FORMAT_CURRENCY = re.compile(r"\[\$([^]-]+)")
_IN_BRACKETS = re.compile(r"\[[^]]*\]")


class Amount(Struct, frozen=True):
    """An amount as it reads with a decimal point and with a decimal comma, None where it does not read so.

    ``currency`` is a code like EUR or a symbol that several currencies share, empty if the cell names none.
    """

    with_point: Decimal | None
    with_comma: Decimal | None
    currency: str = ""


def read_amount(cell: str, column: int = 0, typed_cells: Iterable[TypedCell] = ()) -> Amount | None:
    """Return the amount in a cell, None if it has none; ``typed_cells`` are those of its row, by their columns."""
    for typed in typed_cells:
        # The text of a date is no number.
        if (
            typed.column == column
            and not typed.is_truth_value
            and _PLAIN.fullmatch(cell)
            and _PLAIN.fullmatch(typed.value)
        ):
            number = _STORED.create_decimal(typed.value).normalize()
            return Amount(number, number, _currency_of(typed.number_format))
    text = cell.strip()
    text = unicodedata.normalize("NFKC", text).translate(_MARKS) if len(text) <= _LENGTH else ""
    match = _AMOUNT.fullmatch(text)
    if not match:
        return None
    signs = [match[name] for name in ("sign", "inner", "behind", "last") if match[name]]
    in_brackets = bool(match["open"])
    if len(signs) + in_brackets > 1 or in_brackets != bool(match["close"]) or (match["before"] and match["after"]):
        return None
    sign = "-" if in_brackets or "-" in signs else ""
    with_point, with_comma = _read(match["number"], sign, _WITH_POINT), _read(match["number"], sign, _WITH_COMMA)
    if with_point is None and with_comma is None:
        return None
    return Amount(with_point, with_comma, _CURRENCIES.get((match["before"] or match["after"] or "").casefold(), ""))


def _read(number: str, sign: str, style: re.Pattern[str]) -> Decimal | None:
    if not style.fullmatch(number):
        return None
    decimal = "." if style is _WITH_POINT else ","
    whole, _, fraction = number.partition(decimal)
    digits = "".join(filter(str.isdigit, whole)) or "0"
    return Decimal(f"{sign}{digits}.{fraction}" if fraction else f"{sign}{digits}")


def _currency_of(number_format: str | int) -> str:
    """Return the currency that a number format shows, empty if it shows none or the reader's own."""
    text = str(number_format)
    named = _FORMAT_CURRENCY.search(text)
    shown = _IN_BRACKETS.sub("", text)
    symbol = named[1] if named else next((char for char in shown if unicodedata.category(char) == "Sc"), "")
    # What is neither known nor one sign may be any text.
    return _CURRENCIES.get(symbol.strip().casefold(), symbol if len(symbol) == 1 else "")
