"""What is said of a file, for those who choose in the page's form what options of the command line say. No I/O."""

import re
from collections.abc import Mapping

FIELDS: Mapping[str, str] = {
    "kind": "Which subscriptions come back",
    "customer_id": "Column of customer ids",
    "subscription_id": "Column of subscription ids",
    "entitlement_id": "Column of entitlement ids",
    "kind_column": "Column of kinds",
    "sum": "Column of amounts, to see their sum",
    "sheet": "Sheet",
    "delimiter": "Delimiter",
    "encoding": "Encoding",
    "hidden_rows": "Hidden rows",
    "restore_auto_renew": "Switch auto-renew on again",
    "order": "Order",
    "verify": "Watch until active",
}
_OPTION_OF_COLUMN = {name: name for name in ("customer_id", "subscription_id", "entitlement_id")} | {
    "kind_column": "kind"
}
# A name as the shell takes it.
_NAME = r"""('[^']*'|"[^"]*"|[^\s':;]+)"""
# One after the other.
_PHRASES = (
    (rf"(--map \w+={_NAME}) (?=--map)", r"\1, "),
    (r"or choose with (?=--map)", "or choose one under "),
    (r"Say which is which: (?=--map)", "Say which is which under "),
    *((rf"--map {option}=HEADER", FIELDS[name]) for name, option in _OPTION_OF_COLUMN.items()),
    *((rf"--map {option}={_NAME}", rf"{FIELDS[name]} \1") for name, option in _OPTION_OF_COLUMN.items()),
    (rf"--sum {_NAME}", r"Column of amounts \1"),
    (r"--map names one header for two columns", "one header is chosen for two columns"),
    (
        r"Say whether they are meant: --hidden-rows include or --hidden-rows skip",
        "Say under Hidden rows whether to include them or to skip them",
    ),
    (r"Leave --encoding out, or name another", "Choose another under Encoding, or none"),
    (r"with --encoding", "under Encoding"),
    (r"--encoding (?=\w)", "Encoding "),
    (r"--sheet chooses another", "Another can be chosen under Sheet"),
    (r"--sheet and --hidden-rows", "Sheet and Hidden rows"),
    (r"that --max-rows allows", "that this server takes"),
    (r"if it is, raise --max-rows", "if it is, an administrator can let the server take more"),
    (r"raise --read-limit \w+", "an administrator can raise the limit"),
    (r" If that is as it should be, add --allow-empty\.", ""),
)


def name_fields(text: str) -> str:
    """Return what is said of a file with the fields of the page in place of options."""
    for pattern, phrase in _PHRASES:
        text = re.sub(pattern, phrase, text)
    return text
