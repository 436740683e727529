"""The options about the input file: its layout, its rows, and when it is refused."""

from collections.abc import Mapping
from typing import Any

import click
from msgspec.structs import replace

from bulkreact.cli.options.param_types import COLUMN, DELIMITER, ENCODING, READ_LIMIT, SHA256
from bulkreact.cli.options.shared import combine_options, option
from bulkreact.errors import InputRefusedError
from bulkreact.models import Kind
from bulkreact.sheets.input.input_options import InputOptions, LoadOptions
from bulkreact.sheets.input.read_limits import LIMIT_NAMES, ReadLimits

_AUTO = "auto"
_row_options = combine_options(
    option(
        "--kind",
        type=click.Choice([*(kind.value for kind in Kind), _AUTO]),
        default=Kind.AZURE.value,
        show_default=True,
        help="What rows reactivate: a cancelled Azure subscription (azure), a suspended subscription, or by their ids "
        "(auto). A column kind in the file wins.",
    ),
    option(
        "--restore-auto-renew",
        is_flag=True,
        help="Where its suspension has switched auto-renew off, switch it on again once a subscription is active.",
    ),
)
layout_options = combine_options(
    option(
        "--map",
        type=COLUMN,
        multiple=True,
        help="Which header holds customer_id, subscription_id, entitlement_id, kind or customer_name, where its name does not "
        "say so.",
    ),
    option("--delimiter", type=DELIMITER, help="What separates the cells: , ; | or tab.  [default: detected]"),
    option("--encoding", type=ENCODING, help="How the file's text is encoded, like cp1252.  [default: detected]"),
    option("--sheet", help="The sheet of a workbook.  [default: the first one with the columns]"),
    option(
        "--hidden-rows",
        type=click.Choice(["include", "skip"]),
        help="What to do with a workbook's hidden rows with data.  [default: refuse the workbook]",
    ),
    option(
        "--read-limit",
        type=READ_LIMIT,
        multiple=True,
        help=f"How much of a file is read before it is refused: {', '.join(LIMIT_NAMES)}. No honest file needs it.",
    ),
)
input_options = combine_options(
    _row_options,
    layout_options,
    option(
        "--sum",
        metavar="COLUMN",
        default="",
        help="The header of a column with amounts: add up what is to be sent, and in the results by status.",
    ),
    option("--max-rows", type=click.IntRange(1), default=100_000, show_default=True, help="Refuse a larger input."),
    option("--strict", is_flag=True, help="Refuse the whole file when any row is invalid."),
    option("--allow-empty", is_flag=True, help="An input without rows is a success."),
)


sha256_option = click.option(
    "--sha256", type=SHA256, help="Refuse the input unless its bytes have this SHA-256; of a .gz the packed ones."
)


def read_layout(params: Mapping[str, Any]) -> InputOptions:
    """Return the layout that the options describe; InputRefusedError if they name a column twice."""
    columns = dict(params["map"])
    if len(columns) < len(params["map"]):
        raise InputRefusedError("--map names one column twice.")
    formats = {name: params[name] for name in ("delimiter", "encoding", "sheet", "hidden_rows")}
    return InputOptions(columns, **formats, limits=ReadLimits(**dict(params["read_limit"])))


def read_load_options(params: Mapping[str, Any]) -> LoadOptions:
    """Return all options about the input file: its layout, its rows, and when it is refused."""
    kind = None if params["kind"] == _AUTO else Kind(params["kind"])
    options = replace(
        read_layout(params),
        kind=kind,
        restore_auto_renew=params["restore_auto_renew"],
        summed=params["sum"],
        sha256=params.get("sha256") or "",
    )
    return LoadOptions(options, params["max_rows"], params["strict"], params["allow_empty"])
