"""How commands read an input: the options that say what is in it, and the rows in a journal that is still a draft."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from bulkreact.cli.options.param_types import COLUMN, DELIMITER, ENCODING
from bulkreact.cli.options.shared import Decorated, add, shared
from bulkreact.errors import InputRefusedError
from bulkreact.models import Kind
from bulkreact.sheets.input.input_options import InputOptions, LoadOptions

if TYPE_CHECKING:
    pass

_AUTO = "auto"
_KIND = (
    shared(
        "--kind",
        type=click.Choice([*(kind.value for kind in Kind), _AUTO]),
        default=Kind.AZURE.value,
        show_default=True,
        help="What rows want back: a cancelled Azure subscription (azure), a suspended subscription, or what their ids "
        "tell (auto). A column kind in the file wins.",
    ),
    shared(
        "--restore-auto-renew",
        is_flag=True,
        help="Where its suspension has switched auto-renew off, switch it on again once a subscription is active.",
    ),
)
_FORM = (
    shared(
        "--map",
        type=COLUMN,
        multiple=True,
        help="Which header holds customer_id, subscription_id, entitlement_id or kind, where its name does not say so.",
    ),
    shared("--delimiter", type=DELIMITER, help="What separates the cells: , ; | or tab.  [default: found out]"),
    shared("--encoding", type=ENCODING, help="How the file's text is encoded, like cp1252.  [default: found out]"),
    shared("--sheet", help="The sheet of a workbook.  [default: the first one with the columns]"),
    shared(
        "--hidden-rows",
        type=click.Choice(["include", "skip"]),
        help="What becomes of a workbook's hidden rows with data.  [default: such a workbook is refused]",
    ),
)
_OPTIONS = (
    *_KIND,
    *_FORM,
    shared("--max-rows", type=click.IntRange(1), default=100_000, show_default=True, help="Refuse a larger input."),
    shared("--strict", is_flag=True, help="Refuse the whole file when any row is invalid."),
    shared("--allow-empty", is_flag=True, help="An input without rows is a success."),
)


def reading_options(function: Decorated) -> Decorated:
    """Add the options that say what an input has in it, and which one is refused."""
    return add(function, _OPTIONS)


def form_options(function: Decorated) -> Decorated:
    """Add the options that say how an input is written."""
    return add(function, _FORM)


def form_of(given: Mapping[str, Any]) -> InputOptions:
    """Return what the options say of how an input is written; InputRefusedError when they name one column twice."""
    columns = dict(given["map"])
    if len(columns) < len(given["map"]):
        raise InputRefusedError("--map names one column twice.")
    return InputOptions(columns, given["delimiter"], given["encoding"], given["sheet"], given["hidden_rows"])


def load_options(given: Mapping[str, Any]) -> LoadOptions:
    """Return what the options say of an input: how it is written, what its rows want, and when it is refused."""
    kind = None if given["kind"] == _AUTO else Kind(given["kind"])
    options = replace(form_of(given), kind=kind, restore_auto_renew=given["restore_auto_renew"])
    return LoadOptions(options, given["max_rows"], given["strict"], given["allow_empty"])
